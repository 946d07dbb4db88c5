import type { PrismaClient } from './generated/client.ts';

/** Runs one statement of fixed text with its values and returns its rows. Throws what the database throws. */
export type Sql = <Row>(text: string, values: readonly unknown[]) => Promise<Row[]>;

/**
 * A list as one value, for `string_to_array($1, ',')`: Prisma looks at each element of an array, which costs a batch more
 * than reading the text does. For numbers and hex.
 */
export function listed(values: readonly (string | number)[]): string {
  return values.join(',');
}

/** Statements through a Prisma client or one of its transactions. */
export function sqlOf(client: Pick<PrismaClient, '$queryRawUnsafe'>): Sql {
  return (text, values) => client.$queryRawUnsafe(text, ...values);
}
