import { CORRELATION_HEADER } from '../broker/delivery.ts';
import { DIRECT_PREFIX } from '../broker/direct-replies/addresses.ts';
import { type Code, codeOf, codes, type Outcome } from '../domain/outcome.ts';
import type { RequestProperties } from '../domain/properties.ts';
import { billTold, replyBody } from '../domain/reply.ts';
import { mapPairs } from '../pairs.ts';
import { queueOf } from './amqp1.ts';
import type { Message } from './batch.ts';
import type { Ports, Published, Reply } from './ports.ts';
import type { Request } from './request.ts';

/** What decides where a reply may go. */
export interface ReplyRules {
  resultsExchange: string;
  /** What a `reply_to` must match (REPLY_TO_ALLOW). */
  allow: RegExp;
  /** This system's own queues: a producer must not steer the worker's permissions to them. */
  ownQueues: ReadonlySet<string>;
}

/** No queue that waits for replies has these in its name: control characters, and what replaced bytes that are not UTF-8. */
const NOT_A_NAME = /[\p{Cc}\uFFFD]/u;

/** An AMQP short string holds 255 bytes. */
const SHORT_STRING_BYTES = 255;

/**
 * The reply to a request: to its `reply_to` where that is allowed, else to the results exchange. Of several replays of
 * one dead letter the sender hears the latest only.
 */
export function createReply(
  request: RequestProperties,
  uniqueid: string | null,
  outcome: Outcome,
  rules: ReplyRules,
): Reply {
  const reply = createResultsReply(request, uniqueid, outcome, rules);
  if (request.replyTo === null || outcome.kind === 'superseded') return reply;
  const target = queueOf(request.replyTo);
  if (!rules.allow.test(target) || rules.ownQueues.has(target) || NOT_A_NAME.test(target)) return reply;
  reply.exchange = '';
  reply.routingKey = target;
  reply.direct = target.startsWith(DIRECT_PREFIX);
  // A mandatory publish to a direct reply-to may come back as returned although it was delivered (up to 4.1).
  reply.mandatory = !reply.direct;
  return reply;
}

/** The same reply to the results exchange: the default, and where a reply goes that came back. */
export function createResultsReply(
  request: RequestProperties,
  uniqueid: string | null,
  outcome: Outcome,
  rules: ReplyRules,
): Reply {
  const headers: Reply['headers'] = {};
  const code = codeOf(outcome);
  if (uniqueid !== null) headers.uniqueid = uniqueid;
  if (outcome.kind === 'duplicate') headers.duplicate = true;
  const bill = billTold(outcome);
  if (bill !== undefined) {
    headers.charged = bill.charged;
    headers.currency = bill.currency;
    headers.tax = bill.tax;
    if (bill.invoice !== null) headers.invoice = bill.invoice;
  }
  if (request.traceparent !== undefined) headers.traceparent = request.traceparent;
  if (request.correlationHeader !== undefined) headers[CORRELATION_HEADER] = request.correlationHeader;
  return {
    exchange: rules.resultsExchange,
    routingKey: ROUTING_KEYS[code],
    mandatory: true,
    direct: false,
    accepted: code.startsWith('2'),
    body: outcome.kind === 'accepted' || outcome.kind === 'duplicate' ? STORED : bufferFor(outcome),
    correlationId:
      request.correlationBytes ?? shortString(request.correlationId || request.messageId || uniqueid || ''),
    headers,
  };
}

const ROUTING_KEYS = Object.fromEntries(codes.map((code) => [code, `cdrs.result.${code}`])) as Record<
  Code,
  string
>;

function bufferFor(outcome: Outcome): Buffer {
  return Buffer.from(replyBody(outcome));
}

/** The body of nearly every reply: to a call that is stored, now or before. */
const STORED = bufferFor({ kind: 'duplicate' });

function shortString(text: string): string {
  if (Buffer.byteLength(text) <= SHORT_STRING_BYTES) return text;
  return new TextDecoder()
    .decode(Buffer.from(text).subarray(0, SHORT_STRING_BYTES - 3))
    .replace(/\uFFFD+$/u, '');
}

/** The reply to one message of a batch. */
export interface Answer<Delivery extends Request> {
  message: Message<Delivery>;
  outcome: Outcome;
  reply: Reply;
}

/** The replies to a batch. */
export function createAnswers<Delivery extends Request>(
  messages: readonly Message<Delivery>[],
  outcomes: readonly Outcome[],
  rules: ReplyRules,
): Answer<Delivery>[] {
  return mapPairs(messages, outcomes, (message, outcome) => {
    const { delivery, submission } = message;
    const reply = createReply(delivery.properties, submission.uniqueid, outcome, rules);
    return { message, outcome, reply: inContextOfRequest(reply, delivery) };
  });
}

function inContextOfRequest(reply: Reply, { inContext }: Request): Reply {
  return inContext === undefined ? reply : { ...reply, inContext };
}

/**
 * Publishes replies until each is confirmed, or unroutable everywhere. False where none of their deliveries can be
 * acknowledged any more: the broker delivers them again.
 */
export async function publishUntilConfirmed<Delivery extends Request>(
  answers: readonly Answer<Delivery>[],
  { publish, observe, pause, isLive }: Ports<Delivery>,
  rules: ReplyRules,
): Promise<boolean> {
  let open = answers;
  for (let attempt = 0; ; attempt += 1) {
    const results = await publish(open.map(({ reply }) => reply));
    if (results.length === open.length && results.every(isConfirmed)) return true;
    open = mapPairs(open, results, (answer, result) =>
      result === 'confirmed' ? [] : answerAgain(answer, result, observe, rules),
    ).flat();
    if (open.length === 0) return true;
    if (results.includes('failed')) {
      observe({ kind: 'trouble', cause: 'broker', description: 'replies were not confirmed' });
      await pause('broker', attempt);
    }
    if (!answers.some(({ message }) => isLive(message.delivery))) return false;
  }
}

function isConfirmed(result: Published): boolean {
  return result === 'confirmed';
}

/** Where a reply goes that was not confirmed: there again, or to the results exchange; nowhere if that returned it. */
function answerAgain<Delivery extends Request>(
  { message, outcome, reply }: Answer<Delivery>,
  result: 'returned' | 'failed',
  observe: Ports<Delivery>['observe'],
  rules: ReplyRules,
): Answer<Delivery>[] {
  const { delivery, submission } = message;
  const created = createResultsReply(delivery.properties, submission.uniqueid, outcome, rules);
  const toResults = inContextOfRequest(created, delivery);
  if (result === 'returned' && reply.exchange === toResults.exchange) {
    observe({ kind: 'unroutable reply', uniqueid: submission.uniqueid, request: delivery });
    return [];
  }
  // A failed direct reply is not tried again: its token may be what closed the connection.
  return [{ message, outcome, reply: result === 'returned' || reply.direct ? toResults : reply }];
}
