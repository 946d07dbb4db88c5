import { type Sql, type Statement, unprepared } from '../sql.ts';
import { type CallFilter, conditionOf } from './filter.ts';
import { type CallRow, rowColumns } from './row.ts';

/** Where a page ended and the next one starts. */
export interface CallCursor {
  /** Unix seconds. */
  start: number;
  uniqueid: string;
}

export interface CallPage {
  limit: number;
  after?: CallCursor | undefined;
}

/** The latest start first. */
const ORDER = 'd.start desc, d.uniqueid desc';

function pageStatement(
  filter: CallFilter,
  { limit, after }: CallPage,
): { page: Statement; values: unknown[] } {
  const { text, values } = conditionOf(filter);
  const [start, uniqueid] = [`to_timestamp($${values.length + 1}::float8)`, `$${values.length + 2}`];
  const rest = after === undefined ? '' : `and (d.start, d.uniqueid) < (${start}, ${uniqueid})`;
  return {
    page: unprepared(
      'calls.page',
      `select ${rowColumns} from (select d.* from cdrs d where ${text} ${rest} order by ${ORDER} limit ${limit}) as d
       left join customers c on c.id = d.scustomer order by ${ORDER}`,
    ),
    values: after === undefined ? values : [...values, after.start, after.uniqueid],
  };
}

/** One page of the calls that match, the latest start first. `next` is undefined on the last one. */
export async function findCalls(
  sql: Sql,
  filter: CallFilter,
  { limit, after }: CallPage,
): Promise<{ calls: CallRow[]; next: CallCursor | undefined }> {
  const { page, values } = pageStatement(filter, { limit: limit + 1, after });
  const rows = await sql<CallRow>(page, values);
  const calls = rows.slice(0, limit);
  const last = calls.at(-1);
  const next =
    rows.length > limit && last !== undefined
      ? { start: last.start.getTime() / 1000, uniqueid: last.uniqueid }
      : undefined;
  return { calls, next };
}
