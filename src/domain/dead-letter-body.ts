import type { Fields } from './body.ts';
import { type ParameterName, parameterRow } from './contract.ts';
import { NumberToken } from './json-number.ts';
import {
  isContractName,
  looksSecret,
  MASK,
  maskCallText,
  maskCutText,
  maskText,
  shownName,
} from './secrets.ts';
import { clean, cut, shorten, TEXT_MAX } from './text.ts';

/** The body of a dead letter, and what in it is not as it came: parameters by name, '' for the body as a whole. */
export interface KeptBody {
  body: string;
  altered: string[];
}

const NUMBER_MAX = 100;

/**
 * Parameters that could be read, as JSON without the password. What the contract knows is kept as it came: where it says
 * only text, control characters are replaced as they are in a stored call, which is therefore the same call. Other names
 * are made up by the sender and make no call; what may be a secret in them is masked.
 *
 * @param leftovers names that may be the rest of a password
 */
export function keepReadable(fields: Fields, leftovers: ReadonlySet<string>): KeptBody {
  const kept: Record<string, unknown> = Object.create(null);
  const altered: string[] = [];
  for (const [name, value] of Object.entries(fields)) {
    if (name === 'auth_password') continue;
    if (isContractName(name)) {
      const { value: given, isAltered } = keptValue(name as ParameterName, value);
      kept[name] = given;
      if (isAltered) altered.push(name);
    } else if (leftovers.has(name)) kept[MASK] = MASK;
    else kept[otherName(name)] = looksSecret(name) ? MASK : maskedValue(value);
  }
  return { body: JSON.stringify(kept), altered };
}

function keptValue(name: ParameterName, value: unknown): { value: unknown; isAltered: boolean } {
  if (value instanceof NumberToken) return { value: shorten(value.text, NUMBER_MAX), isAltered: false };
  if (typeof value !== 'string') return { value: maskedValue(value), isAltered: false };
  const cleaned = clean(value);
  const isText = parameterRow(name)?.expected === 'text';
  const masked = maskCallText(cleaned);
  const isOfCall = name !== 'auth_username';
  return { value: masked, isAltered: isOfCall && masked !== (isText ? cleaned : value) };
}

/** Never one of the contract's: what a sender made up must not become what he did not say. */
function otherName(name: string): string {
  const shown = shownName(name);
  return isContractName(shown) ? `(${shown})` : shown;
}

function maskedValue(value: unknown): unknown {
  if (typeof value === 'string') return clean(maskedText(value));
  if (value instanceof NumberToken) return shorten(value.text, NUMBER_MAX);
  if (Array.isArray(value)) return value.map(maskedValue);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, each]) => [
      shownName(name),
      looksSecret(name) ? MASK : maskedValue(each),
    ]),
  );
}

/** Cut first: what would be cut off is not looked through for secrets. */
function maskedText(text: string): string {
  const start = cut(text, TEXT_MAX);
  return (start.length < text.length ? maskCutText(start) : maskText(text)).text;
}

/** The beginning of a body that could not be read, as text of at most `keptBytes` bytes without secrets. */
export function keepUnreadable(body: Buffer, bytes: number, keptBytes: number): KeptBody {
  const raw = body.subarray(0, keptBytes);
  const text = raw.toString('utf8');
  const masked = bytes > raw.length ? maskCutText(text) : maskText(text);
  const shown = cutBytes(cleanAll(masked.text), keptBytes);
  const isWhole = bytes === raw.length && Buffer.from(text).equals(raw);
  const isAsItCame = isWhole && !masked.isAltered && shown === masked.text;
  return { body: shown, altered: isAsItCame ? [] : [''] };
}

function cleanAll(text: string): string {
  return text.replace(/[\p{Cc}\p{Cs}]/gu, '\uFFFD');
}

/** The beginning of a text that has at most so many bytes in UTF-8. */
export function cutBytes(text: string, bytes: number): string {
  if (Buffer.byteLength(text) <= bytes) return text;
  return Buffer.from(text)
    .subarray(0, bytes)
    .toString('utf8')
    .replace(/\uFFFD$/, '');
}
