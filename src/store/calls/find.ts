import { type Sql, unprepared } from '../sql.ts';
import { type CallsOfCustomer, customerOf } from './customers.ts';
import { dayOf, daysOf, onDays } from './days.ts';
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

/** The latest start first, or the earliest. */
export type CallOrder = 'latest' | 'earliest';

/** One page of the calls that match, the latest start first. `next` is undefined on the last one. */
export async function findCalls(
  sql: Sql,
  filter: CallFilter,
  { limit, after }: CallPage,
): Promise<{ calls: CallRow[]; next: CallCursor | undefined }> {
  const found: CallRow[] = [];
  for await (const calls of callPages(sql, filter, { order: 'latest', limit: limit + 1, after })) {
    found.push(...calls);
    if (found.length > limit) break;
  }
  const calls = found.slice(0, limit);
  const last = calls.at(-1);
  return { calls, next: found.length > limit && last !== undefined ? cursorOf(last) : undefined };
}

export interface PagesOptions extends CallPage {
  order: CallOrder;
}

/**
 * The calls that match, in their order, in pages of at most `limit`, never an empty one. Goes from day to day: no statement
 * sorts more than it needs for its page, and the first pages of a long time come at once.
 */
export async function* callPages(
  sql: Sql,
  filter: CallFilter,
  { order, limit, after }: PagesOptions,
): AsyncGenerator<CallRow[]> {
  const of = await customerOf(sql, filter);
  if (of === 'nobody') return;
  if (isFoundAtOnce(filter)) yield* pagesOf(sql, filter, { of, days: null, order, limit, after });
  else yield* pagesByDay(sql, filter, { of, days: await daysOf(sql, filter), order, limit, after });
}

/** These are found at once, however many days there are. */
function isFoundAtOnce({ uniqueid, callid, since, customer, invoice }: CallFilter): boolean {
  const hasDays = [since, customer, invoice].some((one) => one !== undefined);
  return uniqueid !== undefined || (callid !== undefined && !hasDays);
}

async function* pagesOf(sql: Sql, filter: CallFilter, part: PartOfPages): AsyncGenerator<CallRow[]> {
  for (let after = part.after; ; ) {
    const calls = await readPage(sql, filter, { ...part, after });
    const last = calls.at(-1);
    if (last !== undefined) yield calls;
    if (last === undefined || calls.length < part.limit) return;
    after = cursorOf(last);
  }
}

/** Where calls are many, a day is enough for a page; where they are few, more days at once take fewer statements. */
async function* pagesByDay(
  sql: Sql,
  filter: CallFilter,
  { days, after, ...part }: PartOfPages & { days: readonly number[] },
): AsyncGenerator<CallRow[]> {
  const isLatest = part.order === 'latest';
  const reached = after === undefined ? undefined : dayOf(new Date(after.start * 1000));
  const left = (isLatest ? days : days.toReversed()).filter(
    (day) => reached === undefined || (isLatest ? day <= reached : day >= reached),
  );
  for (let at = 0, width = 1; at < left.length; ) {
    let count = 0;
    for await (const calls of pagesOf(sql, filter, { ...part, days: left.slice(at, at + width), after })) {
      count += calls.length;
      yield calls;
    }
    at += width;
    width = count < part.limit ? width * 2 : 1;
  }
}

function cursorOf({ start, uniqueid }: CallRow): CallCursor {
  return { start: start.getTime() / 1000, uniqueid };
}

interface PartOfPages extends PagesOptions {
  of: CallsOfCustomer | null;
  /** Null for all. */
  days: readonly number[] | null;
}

async function readPage(
  sql: Sql,
  filter: CallFilter,
  { of, days, order, limit, after }: PartOfPages,
): Promise<CallRow[]> {
  const { text, values } = conditionOf(filter);
  const place = (value: unknown) => `$${values.push(value)}`;
  const [direction, comparison] = order === 'latest' ? ['desc', '<'] : ['asc', '>'];
  const sorted = `order by d.start ${direction}, d.uniqueid ${direction} limit ${limit}`;
  const matching = [
    text,
    ...(days === null ? [] : [onDays(place(days))]),
    ...(after === undefined
      ? []
      : [
          `(d.start, d.uniqueid) ${comparison} (to_timestamp(${place(after.start)}::float8), ${place(after.uniqueid)})`,
        ]),
  ].join(' and ');
  const branches = of === null ? ['true'] : branchesOf(of, place);
  const found = branches.map(
    (branch) => `(select d.* from cdrs d where ${branch} and ${matching} ${sorted})`,
  );
  return await sql<CallRow>(
    unprepared(
      'calls.page',
      `select ${rowColumns} from (${found.join(' union all ')}) as d left join customers c on c.id = d.scustomer ${sorted}`,
    ),
    values,
  );
}

/** Each by its own index: together, in one condition, they would have none. */
function branchesOf({ customer, moved }: CallsOfCustomer, place: (value: unknown) => string): string[] {
  const own = `d.scustomer = ${place(customer)}::int`;
  return moved.length === 0 ? [own] : [own, `d.uniqueid = any(${place(moved)}::text[]) and not ${own}`];
}
