import { BrokerError, type OperatorPublisher } from '../broker/operator-publisher.ts';
import type { OutgoingMessage } from '../broker/publisher.ts';
import { defaultNames } from '../broker/topology.ts';
import { newToken } from '../dead-letters/message.ts';
import { CORRECTION_HEADER, writeCorrectionHeader } from '../domain/correction-header.ts';
import { tokenHashOf } from '../domain/replay-header.ts';
import type { ResponseEntry } from '../domain/reply.ts';
import { sleep } from '../retry.ts';
import { createOrder, type Order, readOrder, withdrawOrder } from '../store/calls/orders.ts';
import { retrying } from '../store/retrying.ts';
import type { Sql } from '../store/sql.ts';
import type { CallChange } from './change.ts';

/** What became of an order, as far as somebody waited for it. */
export type Placed =
  | { kind: 'booked' }
  | { kind: 'refused'; responses: readonly ResponseEntry[] }
  /** It could not be sent: it is never booked. */
  | { kind: 'not sent'; problem: string }
  /** No worker has answered in time. It is booked as soon as one does. */
  | { kind: 'unanswered' };

export interface OrderContext {
  sql: Sql;
  /** Resolves when the broker has confirmed the messages; rejects with BrokerError. */
  publish: (messages: readonly OutgoingMessage[]) => Promise<void>;
  /** How long an answer is waited for. */
  patienceMs: number;
  /** When aborted, the answer is waited for no longer. */
  stop: AbortSignal;
}

const POLL_MS = 100;
const WITHDRAWN: readonly ResponseEntry[] = [
  { code: '400', key: '', message: 'could not be sent, and was withdrawn' },
];

/**
 * Has a worker book a correction in the operator's name: the order is put on record, and its message sent with a one-time
 * token in place of credentials. An order that is on record already is not sent again, only waited for, so that whoever
 * clicks twice books once. Throws what the database throws.
 */
export async function placeOrder(order: Order, change: CallChange, context: OrderContext): Promise<Placed> {
  const { sql, publish } = context;
  const { message, tokenHash } = messageOf(order, change);
  if (await createOrder(sql, order, tokenHash)) {
    try {
      await publish([message]);
    } catch (error) {
      if (!(error instanceof BrokerError)) throw error;
      // Not confirmed is not lost: what is withdrawn is not booked even if it arrives.
      if (await retrying(() => withdrawOrder(sql, order.id, WITHDRAWN)))
        return { kind: 'not sent', problem: error.message };
    }
  }
  return await answerTo(order.id, context);
}

/**
 * The same through a connection of its own, opened first: nothing is on record of an order for which there is no broker.
 * Throws what the database throws.
 */
export async function placeThrough(
  open: () => Promise<OperatorPublisher>,
  order: Order,
  change: CallChange,
  context: Omit<OrderContext, 'publish'>,
): Promise<Placed> {
  // It was sent, or its first sender is at it: only the answer is left.
  if ((await readOrder(context.sql, order.id)) !== undefined) return await answerTo(order.id, context);
  const publisher = await open().catch((error: unknown) => {
    if (error instanceof BrokerError) return error;
    throw error;
  });
  if (publisher instanceof BrokerError) return { kind: 'not sent', problem: publisher.message };
  try {
    return await placeOrder(order, change, { ...context, publish: publisher.publish });
  } finally {
    await publisher.close();
  }
}

/** The message that asks for it; its body is what the one-time token was made for. */
function messageOf({ id, operation, uniqueid }: Order, change: CallChange) {
  const body = Buffer.from(JSON.stringify({ uniqueid, ...change }));
  const token = newToken();
  const message: OutgoingMessage = {
    exchange: defaultNames.exchange,
    routingKey: `cdrs.${operation}`,
    body,
    mandatory: true,
    properties: {
      contentType: 'application/json',
      messageId: id,
      headers: { [CORRECTION_HEADER]: writeCorrectionHeader({ order: id, token }) },
    },
  };
  return { message, tokenHash: tokenHashOf(token, body) };
}

async function answerTo(
  id: string,
  { sql, patienceMs, stop }: Omit<OrderContext, 'publish'>,
): Promise<Placed> {
  const deadline = performance.now() + patienceMs;
  for (;;) {
    const responses = (await retrying(() => readOrder(sql, id)))?.responses ?? null;
    if (responses !== null) return placedBy(responses);
    if (stop.aborted || performance.now() > deadline) return { kind: 'unanswered' };
    await sleep(POLL_MS);
  }
}

function placedBy(responses: readonly ResponseEntry[]): Placed {
  const isBooked = responses.every(({ code }) => code.startsWith('2'));
  return isBooked ? { kind: 'booked' } : { kind: 'refused', responses };
}
