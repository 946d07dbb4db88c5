import type { Program } from '../../domain/activity.ts';
import type { Operation } from '../../domain/operation.ts';
import type { ResponseEntry } from '../../domain/reply.ts';
import { type Sql, statement } from '../sql.ts';

/** What an operator can ask for of a stored call. */
export type CorrectionOperation = Exclude<Operation, 'create'>;

/** A correction as an operator asks for it. */
export interface Order {
  /** A UUID: also the message_id of its message, and the id of its entry. */
  id: string;
  operation: CorrectionOperation;
  uniqueid: string;
  /** The entry in force that the operator was shown, '' for the call itself. */
  follows: string;
  operator: string;
  why: string;
  program: Program;
  /** The conflict that it decides, if one. */
  deadLetter: string | null;
}

/** An order as it is on record. */
export interface OrderOnRecord extends Order {
  /** What the worker answered; null until then. */
  responses: readonly ResponseEntry[] | null;
  createdAt: Date;
  answeredAt: Date | null;
}

const CREATE = statement(
  'calls.create-order',
  `insert into correction_orders (id, operation, uniqueid, follows, operator, why, program, dead_letter, seal)
   values ($1, $2, $3, $4, $5, $6, $7, $8::bigint, decode($9, 'hex')) on conflict (id) do nothing returning id`,
);

/**
 * Puts an order on record. False if it is there already: its form was sent twice.
 *
 * @param tokenHash of the one-time token in its message
 */
export async function createOrder(sql: Sql, order: Order, tokenHash: string): Promise<boolean> {
  const { id, operation, uniqueid, follows, operator, why, program, deadLetter } = order;
  const created = await sql(CREATE, [
    ...[id, operation, uniqueid, follows, operator, why, program, deadLetter],
    tokenHash,
  ]);
  return created.length > 0;
}

const COLUMNS = `id, operation, uniqueid, follows, operator, why, program, dead_letter::text as "deadLetter", responses,
  created_at as "createdAt", answered_at as "answeredAt"`;

const READ = statement('calls.read-order', `select ${COLUMNS} from correction_orders where id = $1`);

/** Undefined if there is no such order. */
export async function readOrder(sql: Sql, id: string): Promise<OrderOnRecord | undefined> {
  const [order] = await sql<OrderOnRecord>(READ, [id]);
  return order;
}

/** Orders that are shown of one call. */
const ORDERS_MAX = 50;

const OF_CALL = statement(
  'calls.read-orders',
  `select ${COLUMNS} from correction_orders where uniqueid = $1 order by created_at desc, id limit ${ORDERS_MAX}`,
);

/** What was asked for of a call, the latest first. */
export async function readOrdersOf(sql: Sql, uniqueid: string): Promise<OrderOnRecord[]> {
  return await sql<OrderOnRecord>(OF_CALL, [uniqueid]);
}

const WITHDRAW = statement(
  'calls.withdraw-order',
  `update correction_orders set responses = $2::jsonb, answered_at = clock_timestamp()
   where id = $1 and responses is null returning id`,
);

/** Answers an order in place of a worker, so that none books it later. False if it was answered already. */
export async function withdrawOrder(
  sql: Sql,
  id: string,
  responses: readonly ResponseEntry[],
): Promise<boolean> {
  return (await sql(WITHDRAW, [id, JSON.stringify(responses)])).length > 0;
}
