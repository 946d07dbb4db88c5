import type { Fields } from './body.ts';
import {
  bytesDigest,
  type Content,
  contentDigest,
  correctionDigest,
  leftoversIn,
  recordDigest,
} from './content.ts';
import { parameters } from './contract.ts';
import { type KeptBody, keepReadable, keepUnreadable } from './dead-letter-body.ts';
import { readLoosely } from './loose.ts';
import { maskCallText, maskCutText, maskText } from './masking.ts';
import { type Operation, operationOf } from './operation.ts';
import { type KeptProperties, keptProperties, type RequestProperties } from './properties.ts';
import { clean, cut } from './text.ts';

/** What is kept of a message that was not stored as a call; never its password. */
export interface DeadLetter {
  uniqueid: string | null;
  scustomer: number | null;
  machine: string | null;
  /** By what it is found: uniqueid, callid and numbers, each as `searchKey` makes it. */
  searchKeys: string[];
  /** Who claims to have sent it; only a claim unless `verified`. */
  submittedBy: string | null;
  /** The credentials of the sender were checked and valid. */
  verified: boolean;
  /** The cost of the call; null if it cannot be read. Without a currency it is in the system currency. */
  cost: string | null;
  currency: string | null;
  /** The feed that it came by; null for a message that speaks the contract. */
  source: string | null;
  /** What it asks for, by its routing key. */
  operation: Operation;
  /** Of a feed the native record, else the parameters as JSON or the text that could not be read. */
  body: string;
  /**
   * What was masked or cut besides the password: parameter names, '' for the body as a whole. Such a call is not replayed
   * as it is.
   */
  altered: string[];
  /** SHA-256 (hex) of the body as received, without its password: the same content again is the same dead letter. */
  digest: string;
  properties: KeptProperties;
  /** Its switch has sent it just now: the broker has not delivered it before. */
  isNew?: boolean;
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
  const operation = operationOf(properties.routingKey);
  return {
    ...factsOf(fields, operation),
    ...keepReadable(fields, leftoversIn(content)),
    source: null,
    operation,
    verified,
    digest: digestFor(contentDigest(content), operation, properties),
    properties: keptProperties(properties),
  };
}

/** A body, as much of it as the worker has. */
export interface Bytes {
  body: Buffer;
  /** Length of the body as sent. */
  bytes: number;
}

/**
 * The dead letter of a message that could not be read: the beginning of its text with secrets masked, and whatever could
 * be found out about the call.
 *
 * @param fields parameters that could be read
 * @param keptBytes bytes of the body that are kept
 */
export function deadLetterOfBytes(
  { body, bytes }: Bytes,
  fields: Fields,
  properties: RequestProperties,
  keptBytes: number,
): DeadLetter {
  const told = { ...readLoosely(beginningOf(body, keptBytes)), ...fields };
  const operation = operationOf(properties.routingKey);
  return {
    ...factsOf(told, operation),
    ...(told.cost === undefined && NO_MONEY),
    ...keepUnreadable(body, bytes, keptBytes),
    source: null,
    operation,
    verified: false,
    digest: digestFor(bytesDigest(body, bytes), operation, properties),
    properties: keptProperties(properties),
  };
}

/** What is known of a record of a feed. */
export interface RecordFacts {
  source: string;
  /** The user in whose name the feed's calls are stored. */
  submittedBy: string | null;
  /** Parameters that the map could make of it. */
  fields: Fields;
  /** Whether `fields` says what the call costs; a cost that could not be mapped is no cost of 0. */
  hasMoney: boolean;
  kept: KeptBody;
}

/** The dead letter of a native record, which is kept as its switch wrote it. */
export function deadLetterOfRecord(
  { body, bytes }: Bytes,
  { source, submittedBy, fields, hasMoney, kept }: RecordFacts,
  properties: RequestProperties,
  verified: boolean,
): DeadLetter {
  return {
    ...factsOf({ ...fields, auth_username: submittedBy }, 'create'),
    ...(!hasMoney && NO_MONEY),
    ...kept,
    source,
    operation: 'create',
    verified,
    digest: recordDigest(source, body, bytes),
    properties: keptProperties(properties),
  };
}

/** Stands where the text was cut off. It is neither part of a value nor the end of one, so no half of a value is taken. */
const CUT_OFF = '\uFFFD';

function beginningOf(body: Buffer, bytes: number): string {
  const text = body.toString('utf8', 0, bytes);
  return body.length > bytes ? `${text}${CUT_OFF}` : text;
}

/** Bytes that a minimal dead letter shows. Its digest covers all bytes. */
const MINIMAL_BYTES = 2048;
const NO_PROPERTIES: KeptProperties = {
  contentType: null,
  replyTo: null,
  correlationId: null,
  messageId: null,
  routingKey: '',
};

/**
 * The last resort if the database refuses a dead letter: only the first bytes, as hex, with secrets masked. Being plain
 * ASCII of bounded size, it cannot be refused for its content or encoding.
 *
 * @param body as much of the body as the worker has
 * @param bytes length of the body as sent
 * @param source the feed that it came by, if one
 */
export function minimalDeadLetter(body: Buffer, bytes: number, source: string | null = null): DeadLetter {
  // Latin-1 maps each byte to one character and back, so nothing is lost.
  const start = body.toString('latin1', 0, MINIMAL_BYTES);
  const masked = (bytes > start.length ? maskCutText(start) : maskText(start)).text;
  const shown = Buffer.from(masked, 'latin1').toString('hex');
  return {
    ...factsOf({}, 'create'),
    ...NO_MONEY,
    source,
    operation: 'create',
    verified: false,
    body: `${bytes} bytes, as hex: ${shown}`,
    altered: [''],
    digest: source === null ? bytesDigest(body, bytes) : recordDigest(source, body, bytes),
    properties: NO_PROPERTIES,
  };
}

/** The same body may ask for a void or an update, and a correction sent again with another id is another one. */
function digestFor(
  digest: string,
  operation: Operation,
  { messageId }: Pick<RequestProperties, 'messageId'>,
): string {
  return operation === 'create' ? digest : correctionDigest(digest, operation, messageId ?? '');
}

function factsOf(fields: Fields, operation: Operation) {
  const isCall = operation === 'create';
  return {
    uniqueid: uniqueidOf(fields),
    scustomer: idOf(isCall ? fields.scustomer : fields.customer),
    machine: textOf(fields.machine),
    searchKeys: searchKeysOf(fields),
    submittedBy: textOf(fields.auth_username),
    ...(isCall || hasBoth(fields) ? moneyOf(fields) : NO_MONEY),
  };
}

/** What a correction does not say stays as it is: it is no default. */
function hasBoth({ cost, currency }: Fields): boolean {
  return cost !== undefined && cost !== '' && currency !== undefined && currency !== '';
}

const SEARCHED = ['uniqueid', 'callid', 'snumber', 'cnumber', 'dnumber'] as const;

/** How a text is searched for: small letters, no blanks around it. */
export function searchKey(text: string): string {
  return cut(text.trim().toLowerCase(), IDENTIFIER_MAX);
}

/** A number as people type it: in groups, with or without the sign of an international one. */
const TYPED_NUMBER = /^\+?[\d\s()./-]+$/;

/**
 * The search keys that a text may mean: itself, and of a number the ways in which switches write it (`+31…`, `0031…`, `31…`).
 */
export function searchKeysFor(text: string): string[] {
  const key = searchKey(text);
  if (!TYPED_NUMBER.test(key)) return [key];
  const digits = key.replace(/\D/g, '');
  const international = digits.replace(/^00/, '');
  return [...new Set([key, digits, international, `+${international}`, `00${international}`])];
}

/** By what a call is found. */
export function searchKeysOf(fields: Fields): string[] {
  const keys = SEARCHED.map((name) => searchKey(textOf(fields[name]) ?? ''));
  return [...new Set(keys)].filter((key) => key !== '');
}

/** The uniqueid for a dead letter and for the header of a reply; null if it is neither text nor a number. */
export function uniqueidOf(fields: Fields): string | null {
  return textOf(fields.uniqueid);
}

function textOf(value: unknown): string | null {
  return typeof value === 'string' || typeof value === 'number'
    ? cut(clean(maskCallText(String(value))), IDENTIFIER_MAX)
    : null;
}

/** Both or neither: an amount in an unreadable currency says nothing. */
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
