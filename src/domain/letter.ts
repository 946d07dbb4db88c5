import { hash } from 'node:crypto';
import type { Fields } from './body.ts';
import { parameters } from './contract.ts';
import { type KeptProperties, keptProperties, type RequestProperties } from './properties.ts';
import { looksSecret, MASK, maskedName, maskSecrets } from './secrets.ts';
import { clean, cut } from './text.ts';

/** What is kept of a message that could not be stored as a call; never its password. */
export interface Letter {
  uniqueid: string | null;
  scustomer: number | null;
  machine: string | null;
  /** Who claims to have sent it; believed only where the reason is not `unauthenticated`. */
  submittedBy: string | null;
  /** What the call says it cost, null where that cannot be read; without a currency it is the system's. */
  cost: string | null;
  currency: string | null;
  body: string;
  /** SHA-256 of `body`, hex: the same content again is the same letter. */
  digest: string;
  properties: KeptProperties;
}

/** Of a message that nothing could be read of. */
const UNKNOWN = {
  uniqueid: null,
  scustomer: null,
  machine: null,
  submittedBy: null,
  cost: null,
  currency: null,
};

const IDENTIFIER_MAX = 255;
const CURRENCY = /^[A-Z]{3}$/;

/** The letter of a message whose parameters could be read. */
export function letterOf(fields: Fields, properties: RequestProperties): Letter {
  const { auth_password, ...rest } = fields;
  const body = JSON.stringify(rest, withoutSecrets);
  return {
    uniqueid: textOf(fields.uniqueid),
    scustomer: idOf(fields.scustomer),
    machine: textOf(fields.machine),
    submittedBy: textOf(fields.auth_username),
    ...moneyOf(fields),
    body: storable(body),
    digest: hash('sha256', body, 'hex'),
    properties: keptProperties(properties),
  };
}

/** The letter of a message that could not be read: its text with secrets masked. */
export function letterOfText(text: string, properties: RequestProperties): Letter {
  const body = maskSecrets(storable(text));
  const digest = hash('sha256', body, 'hex');
  return { ...UNKNOWN, body, digest, properties: keptProperties(properties) };
}

/** Bytes that a minimal letter shows; its digest is of all of them. */
const MINIMAL_BYTES = 2048;
const NO_PROPERTIES: KeptProperties = {
  contentType: null,
  replyTo: null,
  correlationId: null,
  messageId: null,
  routingKey: '',
};

/**
 * The last resort, for a message whose letter the database refuses: the beginning of its bytes as hex, secrets masked,
 * and nothing else. Plain ASCII of a known size, so that neither its content nor an encoding can be refused.
 *
 * @param body what is in hand of the body
 * @param bytes length of the body as it was sent
 */
export function minimalLetter(body: Buffer, bytes: number): Letter {
  // Each byte is one character of Latin-1, so that nothing is lost between bytes, text and bytes.
  const masked = maskSecrets(body.toString('latin1', 0, MINIMAL_BYTES));
  const shown = Buffer.from(masked, 'latin1').toString('hex');
  return {
    ...UNKNOWN,
    body: `${bytes} bytes, as hex: ${shown}`,
    digest: hash('sha256', Buffer.concat([Buffer.from(`bytes ${bytes}\n`), body]), 'hex'),
    properties: NO_PROPERTIES,
  };
}

/** For JSON.stringify: masks values by their names, and what a name itself says of a secret. */
function withoutSecrets(name: string, value: unknown): unknown {
  if (looksSecret(name)) return MASK;
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [maskedName(key), each]));
}

/**
 * PostgreSQL's text takes no NUL, and no lone surrogate can be encoded. UTF-16 read as UTF-8 has a NUL beside
 * each letter: without them it can be read, and its secrets found.
 */
function storable(text: string): string {
  return text.replaceAll('\0', '').replace(/\p{Cs}/gu, '\uFFFD');
}

function textOf(value: unknown): string | null {
  return typeof value === 'string' || typeof value === 'number'
    ? cut(clean(String(value)), IDENTIFIER_MAX)
    : null;
}

/** Both or neither: a sum without its currency says nothing. */
function moneyOf({ cost, currency }: Fields): Pick<Letter, 'cost' | 'currency'> {
  const read = parameters.shape.cost.safeParse(cost);
  const isNamed = currency !== undefined && currency !== '';
  if (!read.success || (isNamed && !(typeof currency === 'string' && CURRENCY.test(currency))))
    return { cost: null, currency: null };
  return { cost: read.data, currency: isNamed ? String(currency) : null };
}

function idOf(value: unknown): number | null {
  const id = typeof value === 'string' && /^\d{1,10}$/.test(value) ? Number(value) : value;
  return typeof id === 'number' && Number.isInteger(id) && Math.abs(id) <= 2_147_483_647 ? id : null;
}
