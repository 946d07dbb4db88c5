import { hash } from 'node:crypto';
import type { BodyFormat } from './body.ts';
import { colonAfter, endOfString } from './json-text.ts';
import { endsSecret, isContractName, looksSecret } from './secrets.ts';

/** The text of a message, as received. */
export interface Content {
  text: string;
  format: BodyFormat;
}

/**
 * SHA-256 (hex) of a body without the value of its password, so that the same call sent again with another password is
 * the same dead letter. The database stores it keyed with a secret of its own (store/dead-letters/insert.ts).
 */
export function contentDigest({ text, format }: Content): string {
  const rest = format === 'form' ? formWithoutPassword(text.trim()) : jsonWithoutPassword(text);
  return hash('sha256', `${format}\n${rest}`, 'hex');
}

/** The same for bytes that cannot be read. Of an oversized body the worker has only the beginning; its length stands for the rest. */
export function bytesDigest(body: Buffer, bytes: number): string {
  return hash('sha256', Buffer.concat([Buffer.from(`bytes ${bytes}\n`), body]), 'hex');
}

/** The same for a record of a feed: the same bytes of two feeds are two dead letters. */
export function recordDigest(source: string, body: Buffer, bytes: number): string {
  return hash('sha256', Buffer.concat([Buffer.from(`feed ${source} ${bytes}\n`), body]), 'hex');
}

/** The same for a correction: what it asks for and its message_id are part of its content. */
export function correctionDigest(digest: string, operation: string, messageId: string): string {
  return hash('sha256', `${operation} ${digest} ${messageId}`, 'hex');
}

interface Pair {
  name: string;
  hasValue: boolean;
  /** Where the value is in the text. */
  start: number;
  end: number;
}

function pairsOf(text: string): Pair[] {
  const pairs: Pair[] = [];
  for (let at = 0; at <= text.length; ) {
    const next = text.slice(at).search(/[;&]/);
    const end = next < 0 ? text.length : at + next;
    const sign = text.slice(at, end).indexOf('=');
    const start = sign < 0 ? end : at + sign + 1;
    const name = text.slice(at, sign < 0 ? end : start - 1);
    // URLSearchParams drops a leading question mark. Elsewhere it belongs to the name, so something has to precede it.
    pairs.push({ name: at === 0 ? decoded(name) : decoded(`&${name}`), hasValue: sign >= 0, start, end });
    at = end + 1;
  }
  return pairs;
}

function decoded(name: string): string {
  const [[read = ''] = []] = new URLSearchParams(name);
  return read;
}

function formWithoutPassword(text: string): string {
  const passwords = pairsOf(text).filter(({ name }) => name === 'auth_password');
  return without(text, passwords);
}

/**
 * Names that may be part of a secret: those after a secret in a form, up to the next parameter of the contract. A password
 * with an unescaped & or ; ends up in them.
 */
export function leftoversIn({ text, format }: Content): Set<string> {
  const names = new Set<string>();
  if (format !== 'form') return names;
  const body = text.trim();
  let isAfterSecret = false;
  for (const { name, hasValue, start, end } of pairsOf(body)) {
    if (isContractName(name) && hasValue) isAfterSecret = false;
    else if (isAfterSecret) names.add(name);
    if (looksSecret(name) || endsSecret(body.slice(start, end))) isAfterSecret = true;
  }
  return names;
}

/** The text of a JSON object without the value of its password. */
function jsonWithoutPassword(text: string): string {
  const passwords: { start: number; end: number }[] = [];
  let depth = 0;
  /** Where the value of the password starts; -1 outside of it. */
  let start = -1;
  for (let at = 0; at < text.length; at += 1) {
    const character = text[at];
    if (start >= 0 && depth === 1 && (character === ',' || character === '}')) {
      passwords.push({ start, end: at });
      start = -1;
    }
    if (character === '{' || character === '[') depth += 1;
    else if (character === '}' || character === ']') depth -= 1;
    else if (character === '"') {
      const end = endOfString(text, at);
      const colon = depth === 1 && start < 0 ? colonAfter(text, end + 1) : -1;
      if (colon >= 0 && JSON.parse(text.slice(at, end + 1)) === 'auth_password') start = colon + 1;
      at = end;
    }
  }
  return without(text, passwords);
}

function without(text: string, spans: readonly { start: number; end: number }[]): string {
  let at = 0;
  const parts = spans.map(({ start, end }) => {
    const part = text.slice(at, start);
    at = end;
    return part;
  });
  return parts.join('') + text.slice(at);
}
