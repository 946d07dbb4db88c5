import { Prisma, type PrismaClient } from './generated/client.ts';

/** Runs one statement of fixed text with its values and returns its rows. Throws what the database throws. */
export type Sql = <Row>(text: string, values: readonly unknown[]) => Promise<Row[]>;

/**
 * A list as one value, for `string_to_array($1, ',')`: Prisma looks at each element of an array, which costs a batch more
 * than reading the text does. For numbers and hex.
 */
export function listed(values: readonly (string | number)[]): string {
  return values.join(',');
}

/**
 * Statements through a Prisma client or one of its transactions. Values and rows are taken out of what Prisma has
 * in hand as soon as a statement is done: its promise has a getter, and what an object with a getter of its own refers to
 * outlives V8's young generation. They would stay until the whole heap is marked (docs/performance.md).
 */
export function sqlOf(client: Pick<PrismaClient, '$queryRaw'>): Sql {
  return async <Row>(text: string, values: readonly unknown[]) => {
    const statement = Prisma.raw(text);
    statement.values.push(...values);
    try {
      const rows = await client.$queryRaw<Row[]>(statement);
      return rows.splice(0);
    } finally {
      statement.values.length = 0;
    }
  };
}
