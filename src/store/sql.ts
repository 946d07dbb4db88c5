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
 * in hand as soon as the statement is done: its promise of a query has a getter of its own, V8 describes each object that
 * has one in the old generation, and what hangs on it would stay there until the whole heap is marked.
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
