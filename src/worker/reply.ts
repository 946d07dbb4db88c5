import { DIRECT_PREFIX } from '../broker/direct-replies/addresses.ts';
import { codeOf, type Outcome } from '../domain/outcome.ts';
import type { RequestProperties } from '../domain/properties.ts';
import { replyBody } from '../domain/reply.ts';

/** What decides where a reply may go. */
export interface ReplyRules {
  resultsExchange: string;
  /** What a `reply_to` must match (REPLY_TO_ALLOW). */
  allow: RegExp;
  /** This system's own queues: a producer must not steer the worker's permissions to them. */
  ownQueues: ReadonlySet<string>;
}

/** A message ready to be published. */
export interface Reply {
  exchange: string;
  routingKey: string;
  mandatory: boolean;
  /** Through RabbitMQ's direct reply-to, which a hostile token turns into the loss of the whole connection. */
  direct: boolean;
  /** Whether its call was accepted: of replies that must wait for each other these go first. */
  accepted: boolean;
  body: Buffer;
  /** As bytes where they came as bytes that are not UTF-8. */
  correlationId: string | Buffer;
  headers: Record<string, string | boolean>;
}

/** No queue that waits for replies has these in its name: control characters, and what replaced bytes that are not UTF-8. */
const NOT_A_NAME = /[\p{Cc}\uFFFD]/u;

/** An AMQP short string holds 255 bytes. */
const SHORT_STRING_BYTES = 255;

/**
 * The reply to a request: to its `reply_to` where that is allowed, else to the results exchange. Of several replays of
 * one dead letter the sender hears the latest only.
 */
export function replyTo(
  request: RequestProperties,
  uniqueid: string | null,
  outcome: Outcome,
  rules: ReplyRules,
): Reply {
  const target = request.replyTo;
  const reply = resultFor(request, uniqueid, outcome, rules);
  if (target === null || outcome.kind === 'superseded') return reply;
  if (!rules.allow.test(target) || rules.ownQueues.has(target) || NOT_A_NAME.test(target)) return reply;
  const direct = target.startsWith(DIRECT_PREFIX);
  // A mandatory publish to a direct reply-to may come back as returned although it was delivered (up to 4.1).
  return { ...reply, exchange: '', routingKey: target, mandatory: !direct, direct };
}

/** The same reply to the results exchange: the default, and where a reply goes that came back. */
export function resultFor(
  request: RequestProperties,
  uniqueid: string | null,
  outcome: Outcome,
  rules: ReplyRules,
): Reply {
  const headers: Reply['headers'] = {};
  const code = codeOf(outcome);
  if (uniqueid !== null) headers.uniqueid = uniqueid;
  if (outcome.kind === 'duplicate') headers.duplicate = true;
  if (request.traceparent !== undefined) headers.traceparent = request.traceparent;
  return {
    exchange: rules.resultsExchange,
    routingKey: `cdrs.result.${code}`,
    mandatory: true,
    direct: false,
    accepted: code.startsWith('2'),
    body: outcome.kind === 'accepted' || outcome.kind === 'duplicate' ? STORED : bufferFor(outcome),
    correlationId:
      request.correlationBytes ?? shortString(request.correlationId || request.messageId || uniqueid || ''),
    headers,
  };
}

function bufferFor(outcome: Outcome): Buffer {
  return Buffer.from(replyBody(outcome));
}

/** The body of nearly every reply: to a call that is stored, now or before. */
const STORED = bufferFor({ kind: 'accepted' });

function shortString(text: string): string {
  if (Buffer.byteLength(text) <= SHORT_STRING_BYTES) return text;
  return new TextDecoder()
    .decode(Buffer.from(text).subarray(0, SHORT_STRING_BYTES - 3))
    .replace(/\uFFFD+$/u, '');
}
