import type { Fields } from './body.ts';
import { bytesDigest, type Content, contentDigest, leftoversIn } from './content.ts';
import { parameters } from './contract.ts';
import { keepReadable, keepUnreadable } from './dead-letter-body.ts';
import { readLoosely } from './loose.ts';
import { type KeptProperties, keptProperties, type RequestProperties } from './properties.ts';
import { maskCallText, maskCutText, maskText } from './secrets.ts';
import { clean, cut } from './text.ts';

/** What is kept of a message that could not be stored as a call; never its password. */
export interface DeadLetter {
  uniqueid: string | null;
  scustomer: number | null;
  machine: string | null;
  /** Who claims to have sent it; believed only where `verified`. */
  submittedBy: string | null;
  /** The credentials of its sender were looked at and right. */
  verified: boolean;
  /** What the call says it cost, null where that cannot be read; without a currency it is the system's. */
  cost: string | null;
  currency: string | null;
  body: string;
  /**
   * What in the body was masked or cut, its password apart: parameters by name, '' for the body as a whole. Such a call is
   * not sent again as it stands.
   */
  altered: string[];
  /** SHA-256 (hex) of the body as it came, its password apart: the same content again is the same dead letter. */
  digest: string;
  properties: KeptProperties;
}

const IDENTIFIER_MAX = 255;
const CURRENCY = /^[A-Z]{3}$/;
const NO_MONEY = { cost: null, currency: null };

/** The dead letter of a message whose parameters could be read. */
export function deadLetterOf(
  content: Content,
  fields: Fields,
  properties: RequestProperties,
  verified: boolean,
): DeadLetter {
  return {
    ...factsOf(fields),
    ...keepReadable(fields, leftoversIn(content)),
    verified,
    digest: contentDigest(content),
    properties: keptProperties(properties),
  };
}

/** A body as far as the worker has it. */
export interface Bytes {
  body: Buffer;
  /** Its length as it was sent. */
  bytes: number;
}

/**
 * The dead letter of a message that could not be read: the beginning of its text with secrets masked, and what can be told of
 * the call all the same.
 *
 * @param fields parameters that could be read
 * @param keptBytes what is kept of the body, in bytes
 */
export function deadLetterOfBytes(
  { body, bytes }: Bytes,
  fields: Fields,
  properties: RequestProperties,
  keptBytes: number,
): DeadLetter {
  const told = { ...readLoosely(beginningOf(body, keptBytes)), ...fields };
  return {
    ...factsOf(told),
    ...(told.cost === undefined && NO_MONEY),
    ...keepUnreadable(body, bytes, keptBytes),
    verified: false,
    digest: bytesDigest(body, bytes),
    properties: keptProperties(properties),
  };
}

/** What follows the beginning is neither part of a value nor its end: half a value would be another one. */
const CUT_OFF = '\uFFFD';

function beginningOf(body: Buffer, bytes: number): string {
  const text = body.toString('utf8', 0, bytes);
  return body.length > bytes ? `${text}${CUT_OFF}` : text;
}

/** Bytes that a minimal dead letter shows; its digest is of all of them. */
const MINIMAL_BYTES = 2048;
const NO_PROPERTIES: KeptProperties = {
  contentType: null,
  replyTo: null,
  correlationId: null,
  messageId: null,
  routingKey: '',
};

/**
 * The last resort, for a message whose dead letter the database refuses: the beginning of its bytes as hex, secrets masked,
 * and nothing else. Plain ASCII of a known size, so that neither its content nor an encoding can be refused.
 *
 * @param body what is in hand of the body
 * @param bytes length of the body as it was sent
 */
export function minimalDeadLetter(body: Buffer, bytes: number): DeadLetter {
  // Each byte is one character of Latin-1, so that nothing is lost between bytes, text and bytes.
  const start = body.toString('latin1', 0, MINIMAL_BYTES);
  const masked = (bytes > start.length ? maskCutText(start) : maskText(start)).text;
  const shown = Buffer.from(masked, 'latin1').toString('hex');
  return {
    ...factsOf({}),
    ...NO_MONEY,
    verified: false,
    body: `${bytes} bytes, as hex: ${shown}`,
    altered: [''],
    digest: bytesDigest(body, bytes),
    properties: NO_PROPERTIES,
  };
}

function factsOf(fields: Fields) {
  return {
    uniqueid: uniqueidOf(fields),
    scustomer: idOf(fields.scustomer),
    machine: textOf(fields.machine),
    submittedBy: textOf(fields.auth_username),
    ...moneyOf(fields),
  };
}

/** As a dead letter and the header of a reply have it; null where it is no text. */
export function uniqueidOf(fields: Fields): string | null {
  return textOf(fields.uniqueid);
}

function textOf(value: unknown): string | null {
  return typeof value === 'string' || typeof value === 'number'
    ? cut(clean(maskCallText(String(value))), IDENTIFIER_MAX)
    : null;
}

/** Both or neither: a sum without its currency says nothing. */
function moneyOf({ cost, currency }: Fields): Pick<DeadLetter, 'cost' | 'currency'> {
  const read = parameters.shape.cost.safeParse(cost);
  const isNamed = currency !== undefined && currency !== '';
  if (!read.success || (isNamed && !(typeof currency === 'string' && CURRENCY.test(currency))))
    return NO_MONEY;
  return { cost: read.data, currency: isNamed ? String(currency) : null };
}

function idOf(value: unknown): number | null {
  const id = typeof value === 'string' && /^\d{1,10}$/.test(value) ? Number(value) : value;
  return typeof id === 'number' && Number.isInteger(id) && Math.abs(id) <= 2_147_483_647 ? id : null;
}
