import { type Sql, statement } from '../sql.ts';

const NAMES = statement('calls.customer-names', 'select id, name from customers where id = any($1::int[])');

/** Names of customers by id, as far as they exist. */
export async function readCustomerNames(sql: Sql, ids: readonly number[]): Promise<Map<number, string>> {
  const rows = await sql<{ id: number; name: string }>(NAMES, [ids]);
  return new Map(rows.map(({ id, name }) => [id, name]));
}
