import { hash } from 'node:crypto';
import type { Fields } from './body.ts';
import { parameterNames } from './contract.ts';
import { clean } from './text.ts';
import { looksSecret } from './validate.ts';

/** AMQP properties of the request that answering it, or sending it again, needs. */
export interface RequestProperties {
  contentType: string | null;
  replyTo: string | null;
  correlationId: string | null;
  messageId: string | null;
  routingKey: string;
}

/** What is kept of a message that could not be stored as a call; never its password. */
export interface Letter {
  uniqueid: string | null;
  scustomer: number | null;
  machine: string | null;
  /** Who claims to have sent it; believed only where the reason is not `unauthenticated`. */
  submittedBy: string | null;
  body: string;
  /** SHA-256 of `body`, hex: the same content again is the same letter. */
  digest: string;
  properties: RequestProperties;
}

const MASK = '***';
const CONTRACT_NAMES = parameterNames.filter((name) => !looksSecret(name)).join('|');
/**
 * A key that looks like a password's, and all that follows until something that is surely the next parameter:
 * where text cannot be parsed, nobody knows where a value ends. Every repetition before the value is bounded, so
 * that hostile text costs linear time.
 */
const SECRET_IN_TEXT = new RegExp(
  `((?:pass|pwd|secret|token|credential)[\\w%.-]{0,64}["']?\\s{0,16}[:=]).*?(?=[,;&{\\s]\\s{0,16}["']?(?:${CONTRACT_NAMES})["']?\\s*[:=]|$)`,
  'gis',
);

/** The letter of a message whose parameters could be read. */
export function letterOf(fields: Fields, properties: RequestProperties): Letter {
  const { auth_password, ...rest } = fields;
  const body = JSON.stringify(rest, (name, value) => (name !== '' && looksSecret(name) ? MASK : value));
  return {
    uniqueid: textOf(fields.uniqueid),
    scustomer: idOf(fields.scustomer),
    machine: textOf(fields.machine),
    submittedBy: textOf(fields.auth_username),
    body: storable(body),
    digest: hash('sha256', body, 'hex'),
    properties,
  };
}

/** The letter of a message that could not be read: its text with secrets masked. */
export function letterOfText(text: string, properties: RequestProperties): Letter {
  const body = maskSecrets(storable(text));
  const digest = hash('sha256', body, 'hex');
  return { uniqueid: null, scustomer: null, machine: null, submittedBy: null, body, digest, properties };
}

/** Text without the values of keys that look like a password's. */
export function maskSecrets(text: string): string {
  return text.replace(SECRET_IN_TEXT, `$1${MASK}`);
}

/** PostgreSQL's text takes no NUL, and no lone surrogate can be encoded. */
function storable(text: string): string {
  return text.replace(/\0|\p{Cs}/gu, '\uFFFD');
}

function textOf(value: unknown): string | null {
  return typeof value === 'string' || typeof value === 'number' ? clean(String(value)).slice(0, 255) : null;
}

function idOf(value: unknown): number | null {
  const id = typeof value === 'string' && /^\d{1,10}$/.test(value) ? Number(value) : value;
  return typeof id === 'number' && Number.isInteger(id) && Math.abs(id) <= 2_147_483_647 ? id : null;
}
