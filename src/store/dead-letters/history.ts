import type { Cdr, Difference } from '../../domain/cdr.ts';
import type { Operation } from '../../domain/operation.ts';
import { readStoredCalls } from '../persist/columns.ts';
import { type Sql, statement } from '../sql.ts';
import { type DeadLetterSummary, summaryColumns } from './list.ts';

/** A dead letter with all its columns. */
export interface DeadLetterDetail extends DeadLetterSummary {
  /** What its message asked for. */
  operation: Operation;
  properties: Record<string, string | null>;
  differences: Difference[] | null;
  error: string | null;
  /** The text with which an operator replaced the body; null if it stands as it came. */
  mended_body: string | null;
  /** For `failed`: the row whose holder kept the call from being stored. */
  waits_for: string | null;
  /** When a worker tried it once more by itself. */
  tried_at: Date | null;
}

export const eventNames = [
  'edited',
  'replayed',
  'died',
  'resolved',
  'discarded',
  'reopened',
  'merged',
] as const;
export type EventName = (typeof eventNames)[number];

export interface DeadLetterEvent {
  at: Date;
  event: EventName;
  by: string | null;
  why: string | null;
  attempt: number | null;
  detail: Record<string, unknown>;
}

/** The call that is stored under a uniqueid. */
export interface StoredCall {
  call: Cdr;
  /** The feed that it came by, null for a message that speaks the contract. */
  source: string | null;
  submitted_by: string;
  replayed_by: string | null;
  received_at: Date;
  /** Sum of the taxes, in the call's currency. */
  tax: string;
  /** What the customer's balance fell by. */
  charged: string;
  customer_currency: string;
  /** Null for a customer that is gone. */
  customer_name: string | null;
  /** The invoice that took the call, or that it named; null for none. */
  invoice: number | null;
  invoice_cost: string;
  invoice_tax: string;
  invoice_currency: string | null;
}

const READ = statement(
  'dead-letters.read',
  `select ${summaryColumns}, d.operation, d.properties, d.differences, d.error, d.mended_body, d.waits_for, d.tried_at
   from dead_letters d where d.id = $1::bigint`,
);

/** Undefined if there is no such dead letter. */
export async function readDeadLetter(sql: Sql, id: string): Promise<DeadLetterDetail | undefined> {
  const [deadLetter] = await sql<DeadLetterDetail>(READ, [id]);
  return deadLetter;
}

const EVENTS = statement(
  'dead-letters.events',
  `select at, event, by, why, attempt, detail from dead_letter_events e where dead_letter = $1::bigint order by id`,
);

/** The events of a dead letter, in order, without the hashes of its one-time tokens. */
export async function readEvents(sql: Sql, id: string): Promise<DeadLetterEvent[]> {
  return await sql<DeadLetterEvent>(EVENTS, [id]);
}

const STORED = statement(
  'dead-letters.stored-call',
  `select s.submitted_by, s.replayed_by, s.received_at, trim_scale(s.tax)::text as tax, trim_scale(s.charged)::text as charged,
     s.customer_currency, c.name as customer_name, s.invoice, trim_scale(s.invoice_cost)::text as invoice_cost,
     trim_scale(s.invoice_tax)::text as invoice_tax, s.invoice_currency
   from cdrs s left join customers c on c.id = s.scustomer where s.uniqueid = $1`,
);

/** The call stored under a uniqueid; undefined if there is none. */
export async function readStored(sql: Sql, uniqueid: string): Promise<StoredCall | undefined> {
  const stored = (await readStoredCalls(sql, [uniqueid])).get(uniqueid);
  const [row] = await sql<Omit<StoredCall, 'call' | 'source'>>(STORED, [uniqueid]);
  return stored === undefined || row === undefined
    ? undefined
    : { call: stored.cdr, source: stored.source, ...row };
}

/** Replays and dry runs that are shown of one dead letter. */
const REPLAYS_MAX = 20;

const IN_REPLAYS = statement(
  'dead-letters.in-replays',
  `select replay::float8 as id from replay_letters where dead_letter = $1::bigint order by replay desc limit ${REPLAYS_MAX}`,
);

/** The ids of the replays and dry runs that have it, latest first. */
export async function replaysWith(sql: Sql, id: string): Promise<number[]> {
  const rows = await sql<{ id: number }>(IN_REPLAYS, [id]);
  return rows.map((row) => row.id);
}
