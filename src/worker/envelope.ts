import { DIRECT_PREFIX } from '../broker/direct-replies/addresses.ts';
import type { BodyFormat } from '../domain/body.ts';
import { codeOf, type Outcome } from '../domain/outcome.ts';
import type { RequestProperties } from '../domain/properties.ts';
import { envelope, responsesTo } from '../domain/reply.ts';

/** A request as it came off the wire. */
export interface Request {
  /** The body, or its beginning where more was sent than is kept. */
  body: Buffer;
  /** Length of the body as it was sent. */
  bytes: number;
  properties: RequestProperties;
  /** What is wrong with its headers, for which its body is not looked at; undefined where nothing is. */
  unreadable?: string | undefined;
}

/** Decoded text, or what is wrong with the bytes; `text` is then the best reading there is, for the dead letter. */
export type Decoded =
  | { kind: 'text'; text: string; format: BodyFormat }
  | { kind: 'undecodable'; text: string; message: string };

const strictUtf8 = new TextDecoder('utf-8', { fatal: true });
const FORM = 'application/x-www-form-urlencoded';

/**
 * Bytes before meaning: size, declared charset, UTF-8. Total: any bytes give a result.
 *
 * @param maxBytes larger bodies are refused and only their first `maxBytes` kept
 */
export function decode({ body, bytes, properties }: Request, maxBytes: number): Decoded {
  if (bytes > maxBytes) {
    const text = body.subarray(0, maxBytes).toString('utf8');
    return { kind: 'undecodable', text, message: `expected at most ${maxBytes} bytes, got ${bytes}` };
  }
  const [type = '', ...options] = (properties.contentType ?? '')
    .toLowerCase()
    .split(';')
    .map((part) => part.trim());
  const charset = options
    .find((option) => option.startsWith('charset='))
    ?.slice('charset='.length)
    .replaceAll('"', '');
  if (charset !== undefined && charset !== 'utf-8' && charset !== 'utf8' && charset !== 'us-ascii') {
    return {
      kind: 'undecodable',
      text: body.toString('utf8'),
      message: 'content_type declares a charset other than UTF-8',
    };
  }
  try {
    return { kind: 'text', text: strictUtf8.decode(body), format: type === FORM ? 'form' : 'json' };
  } catch {
    return {
      kind: 'undecodable',
      text: body.toString('utf8'),
      message: 'body is not valid UTF-8',
    };
  }
}

/** Names that decide where a reply may go. */
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
  /** Bytes where they came as what is no UTF-8. */
  correlationId: string | Buffer;
  headers: Record<string, string | boolean>;
}

/** In no name of a queue that waits for replies: control characters, and what stands for bytes that are no UTF-8. */
const NO_NAME = /[\p{Cc}\uFFFD]/u;

/** An AMQP short string holds 255 bytes. */
const SHORT_STRING_BYTES = 255;

/** The reply to a request: to its `reply_to` where that is allowed, else to the results exchange. */
export function replyTo(
  request: RequestProperties,
  uniqueid: string | null,
  outcome: Outcome,
  rules: ReplyRules,
): Reply {
  const target = request.replyTo;
  const reply = resultFor(request, uniqueid, outcome, rules);
  if (target === null || !rules.allow.test(target) || rules.ownQueues.has(target)) return reply;
  if (NO_NAME.test(target)) return reply;
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
    body: outcome.kind === 'accepted' || outcome.kind === 'duplicate' ? STORED : bodyOf(outcome),
    correlationId:
      request.correlationBytes ?? shortString(request.correlationId || request.messageId || uniqueid || ''),
    headers,
  };
}

function bodyOf(outcome: Outcome): Buffer {
  return Buffer.from(envelope(responsesTo(outcome)));
}

/** The body of nearly every reply: to a call that is stored, now or before. */
const STORED = bodyOf({ kind: 'accepted' });

function shortString(text: string): string {
  if (Buffer.byteLength(text) <= SHORT_STRING_BYTES) return text;
  return new TextDecoder()
    .decode(Buffer.from(text).subarray(0, SHORT_STRING_BYTES - 3))
    .replace(/\uFFFD+$/u, '');
}
