import type { Fields } from './body.ts';
import { type ParameterName, parameterRow } from './contract.ts';
import { NumberToken } from './json-number.ts';
import { MASK, maskCallText, maskCutText, maskText, shownName } from './masking.ts';
import { isContractName, looksSecret } from './secrets.ts';
import { clean, cut, shorten, TEXT_MAX } from './text.ts';

/** The body of a dead letter, and what is not as received: parameter names, '' for the body as a whole. */
export interface KeptBody {
  body: string;
  altered: string[];
}

const NUMBER_MAX = 100;

/**
 * The parameters as JSON, without the password. Those of the contract are kept as received, except that control characters
 * in free text are replaced, which a stored call would have too. Other names make no call, so whatever may be a secret
 * in them is masked.
 *
 * @param leftovers names that may be part of a password
 */
export function keepReadable(fields: Fields, leftovers: ReadonlySet<string>): KeptBody {
  const kept: Record<string, unknown> = Object.create(null);
  const altered: string[] = [];
  for (const name of Object.keys(fields)) {
    if (name === 'auth_password') continue;
    const value = fields[name];
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

/** Never a name of the contract: masking must not turn a made-up name into a parameter that was not sent. */
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

/** Cuts before it masks, so that no time is spent on what is not kept. */
function maskedText(text: string): string {
  const start = cut(text, TEXT_MAX);
  return (start.length < text.length ? maskCutText(start) : maskText(text)).text;
}

/** The beginning of an unreadable body as text without secrets, at most `keptBytes` bytes long. */
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

/** The beginning of a text, at most so many bytes of UTF-8 long. */
export function cutBytes(text: string, bytes: number): string {
  if (Buffer.byteLength(text) <= bytes) return text;
  return Buffer.from(text)
    .subarray(0, bytes)
    .toString('utf8')
    .replace(/\uFFFD$/, '');
}
