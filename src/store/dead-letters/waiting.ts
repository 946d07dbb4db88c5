import { customerRow, invoiceRow } from '../../domain/held.ts';
import type { Operation } from '../../domain/operation.ts';
import { lockedRows } from '../persist/row-locks.ts';
import { type Sql, statement } from '../sql.ts';
import { keyed } from './insert.ts';
import { isDone, type Proof } from './known.ts';

/** A dead letter of a call that waited too long for a locked row. */
export interface WaitingDeadLetter {
  id: string;
  /** The row, such as `customer 104`. */
  row: string;
  /** The feed that it came by; null for a call of the contract. */
  source: string | null;
  operation: Operation;
  body: string;
  messageId: string | null;
  /** Never null: only calls of verified senders wait. */
  submittedBy: string;
}

/** The oldest dead letter of each row, of feeds that this worker knows. One that was corrected waits for its operator's replay. */
const WAITING = statement(
  'dead-letters.waiting',
  `
  select distinct on (waits_for) id::text as id, waits_for as row, source, operation, body,
    properties ->> 'messageId' as "messageId", submitted_by as "submittedBy"
  from dead_letters
  where waits_for is not null and tried_at is null and status = 'dead' and verified and altered = '{}'
    and edits = '{}' and mended_body is null
    and submitted_by is not null and (source is null or source = any($1::text[]))
  order by waits_for, id limit 100`,
);

/**
 * Dead letters to be tried again, one per row, except for rows that are locked. Throws what the database throws.
 *
 * @param sources the feeds whose records can be mapped
 */
export async function waitingDeadLetters(sql: Sql, sources: readonly string[]): Promise<WaitingDeadLetter[]> {
  const deadLetters = await sql<WaitingDeadLetter>(WAITING, [sources]);
  const idsOf = (pattern: RegExp) => deadLetters.flatMap(({ row }) => Number(pattern.exec(row)?.[1] ?? []));
  const customers = idsOf(/^customer (\d+)$/);
  const invoices = idsOf(/^invoice (\d+)$/);
  if (customers.length + invoices.length === 0) return deadLetters;
  const locked = new Set(
    (await lockedRows(sql, { customers, invoiced: [], openStatuses: [], invoices, deadLetters: [] })).map(
      ({ of, id }) => (of === 'customer' ? customerRow(Number(id)) : invoiceRow(Number(id))),
    ),
  );
  return deadLetters.filter(({ row }) => !locked.has(row));
}

const BEGIN = statement(
  'dead-letters.begin-trying',
  `update dead_letters set tried_at = now() where id = $1::bigint and tried_at is null and status = 'dead'
   and edits = '{}' and mended_body is null returning id`,
);

/** Marks a dead letter as tried, in a transaction of its own, so that a call that crashes workers does so once. False if it was tried before. */
export async function beginTrying(sql: Sql, id: string): Promise<boolean> {
  return (await sql(BEGIN, [id])).length > 0;
}

const WAIT_ON = statement(
  'dead-letters.wait-on',
  `update dead_letters set tried_at = null where id = $1::bigint and status = 'dead' returning id`,
);

/** Lets a dead letter wait on, because its row is still locked. */
export async function goOnWaiting(sql: Sql, id: string): Promise<void> {
  await sql(WAIT_ON, [id]);
}

/** What was asked for, by what proves it. */
const OPERATION = `case when $3::text is null then 'create' else 'update' end`;

const RESOLVE = statement(
  'dead-letters.resolve-waiting',
  `with known as materialized (select ${isDone(OPERATION, { uniqueid: '$2::text', entry: '$3::text' })} as holds),
   resolved as (
     update dead_letters d set status = 'resolved', closed_at = now() from known
     where d.id = $1::bigint and d.status = 'dead' and known.holds
       and (d.operation = 'create') = ($3::text is null))
   select settle_assert(holds, 'the call of a dead letter is not stored') as held from known`,
);

/** Resolves a dead letter whose call has been stored. Throws what the database throws: CDR01 if it is not. */
export async function resolveWaiting(sql: Sql, id: string, { uniqueid, entry }: Proof): Promise<void> {
  await sql(RESOLVE, [id, uniqueid, entry]);
}

const WAIT_FOR = statement(
  'dead-letters.wait-for',
  `update dead_letters set waits_for = $3, tried_at = null, verified = true
   where reason = $1 and digest = ${keyed('$2')} and status = 'dead' returning id`,
);

/** Makes a dead letter wait for a row, to be tried again. Its sender has been verified by now. */
export async function waitFor(sql: Sql, key: { reason: string; digest: string }, row: string): Promise<void> {
  await sql(WAIT_FOR, [key.reason, key.digest, row]);
}
