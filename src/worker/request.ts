import { isAscii } from 'node:buffer';
import type { InContext } from '../broker/followed-messages.ts';
import { type Body, type BodyFormat, readBody } from '../domain/body.ts';
import { isDecimal } from '../domain/contract.ts';
import { type DeadLetter, deadLetterOf, deadLetterOfBytes } from '../domain/dead-letter.ts';
import type { RequestProperties } from '../domain/properties.ts';
import { sectionsIn } from './amqp1.ts';

/** A request as it came off the wire. */
export interface Request {
  /** The body, or its beginning where more was sent than is kept. */
  body: Buffer;
  /** Length of the body as it was sent. */
  bytes: number;
  properties: RequestProperties;
  /** What is wrong with its headers, for which its body is not read; undefined where nothing is. */
  unreadable?: string | undefined;
  /** The broker may have delivered it before, so that its switch need not have sent it again. */
  redelivered?: boolean;
  /** Where instrumentation follows it. */
  inContext?: InContext;
}

/** Text, or what is wrong with the bytes; `text` is then the best reading there is, for the dead letter. */
export type Decoded =
  | { kind: 'text'; text: string; format: BodyFormat }
  | { kind: 'undecodable'; text: string; message: string };

const strictUtf8 = new TextDecoder('utf-8', { fatal: true });
const FORM = 'application/x-www-form-urlencoded';
const CHARSETS: ReadonlySet<string> = new Set(['utf-8', 'utf8', 'us-ascii']);

/**
 * Bytes to text: size, sections of AMQP 1.0, declared charset, UTF-8. Never throws: every sequence of bytes gives a result.
 *
 * @param maxBytes larger bodies are refused and only their first `maxBytes` kept
 */
export function decode({ body, bytes, properties }: Request, maxBytes: number): Decoded {
  if (bytes > maxBytes) {
    const text = body.subarray(0, maxBytes).toString('utf8');
    return { kind: 'undecodable', text, message: `expected at most ${maxBytes} bytes, got ${bytes}` };
  }
  const sections = sectionsIn(body);
  if (sections !== undefined) return undecodable(body, `body is ${sections}, expected a single data section`);
  const { format, charset } = readContentType(properties.contentType);
  if (charset !== undefined && !CHARSETS.has(charset))
    return undecodable(body, 'content_type declares a charset other than UTF-8');
  try {
    return { kind: 'text', text: strictUtf8.decode(body), format };
  } catch {
    return undecodable(body, 'body is not valid UTF-8');
  }
}

interface ContentType {
  format: BodyFormat;
  charset?: string | undefined;
}

const AS_JSON: ContentType = { format: 'json' };

function readContentType(contentType: string | null): ContentType {
  // Nearly every message has this one or none.
  if (contentType === 'application/json' || contentType === null) return AS_JSON;
  const [type = '', ...options] = contentType
    .toLowerCase()
    .split(';')
    .map((part) => part.trim());
  const charset = options
    .find((option) => option.startsWith('charset='))
    ?.slice('charset='.length)
    .replaceAll('"', '');
  return { format: type === FORM ? 'form' : 'json', charset };
}

function undecodable(body: Buffer, message: string): Decoded {
  return { kind: 'undecodable', text: body.toString('utf8'), message };
}

/** The parameters of a request, or why they cannot be read. */
export function parse(request: Request, maxBodyBytes: number): Body {
  const { unreadable } = request;
  return unreadable === undefined ? parseDecoded(decode(request, maxBodyBytes)) : unreadableBody(unreadable);
}

function parseDecoded(decoded: Decoded): Body {
  return decoded.kind === 'text'
    ? readBody(decoded.text, decoded.format, isDecimal)
    : unreadableBody(decoded.message);
}

function unreadableBody(message: string): Body {
  return { kind: 'unreadable', fields: {}, key: '', message };
}

/** How much of a message is read, and how much a dead letter keeps of one that cannot be read (KEPT_BODY_BYTES). */
export interface KeepingRules {
  maxBodyBytes: number;
  keptBodyBytes: number;
}

/**
 * What a dead letter keeps of a message, as far as it can be read.
 *
 * @param isVerified whether its sender's credentials were checked and right
 */
export function deadLetterFor(request: Request, rules: KeepingRules, isVerified: boolean): DeadLetter {
  const decoded = decode(asAscii(request), rules.maxBodyBytes);
  const body = parseDecoded(decoded);
  const deadLetter =
    body.kind === 'fields' && decoded.kind === 'text'
      ? deadLetterOf(decoded, body.fields, request.properties, isVerified)
      : deadLetterOfBytes(request, body.fields, request.properties, rules.keptBodyBytes);
  return { ...deadLetter, isNew: isNew(request) };
}

/** Whether its switch has sent it just now. What comes from nowhere but a queue's first delivery is not. */
export function isNew({ redelivered }: Request): boolean {
  return redelivered === false;
}

/** Without its charset where every byte is ASCII, which is the same text in whatever charset was declared. */
function asAscii(request: Request): Request {
  const { contentType } = request.properties;
  if (contentType?.includes(';') !== true || !isAscii(request.body)) return request;
  const [type = null] = contentType.split(';');
  return { ...request, properties: { ...request.properties, contentType: type } };
}
