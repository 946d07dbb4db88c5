import { parameterNames } from './contract.ts';
import { clean, cut, shorten } from './text.ts';

export const MASK = '***';

const KEY_MAX = 100;
/** Code points of a name that are looked through, of which fewer are shown. */
const NAME_MAX = 1000;
/**
 * Words of names whose values are secret. `auth` is there for `authorization` and for misspellings of
 * `auth_password`; who says that he sends it is no secret.
 */
const SECRET_WORDS =
  'auth_?passw(?:or)?d|auth_?pass|auth_?pw|auth_?token|authori[sz]ation|authentication|auth(?!_?user(?:name)?(?![a-z]))|' +
  'password|passphrase|passwd|pass|pwd|pw(?![a-z])|secret|token|credentials?|bearer|cookie|(?:api|private)[-_ ]?key';
const SECRET = new RegExp(SECRET_WORDS, 'i');
const contractNames: ReadonlySet<string> = new Set(parameterNames);
const openNames = parameterNames.filter((name) => name !== 'auth_password');

/** Names whose values are never shown, logged or stored. */
export function looksSecret(name: string): boolean {
  if (contractNames.has(name)) return name === 'auth_password';
  return SECRET.test(/^[\w-]*$/.test(name) ? name : unescaped(name));
}

const AT_END = new RegExp(`(?:${SECRET_WORDS})\\W*$`, 'i');

/** A key before more than this is not looked for: what follows is then taken to be secret. */
const END_MAX = 2000;
const NO_WORD = /^\W*$/;

/** Whether what follows this text may be a secret. */
export function endsSecret(text: string): boolean {
  const end = unescaped(text.slice(-END_MAX));
  return AT_END.test(end) || (text.length > END_MAX && NO_WORD.test(end));
}

/** Where a secret stands in a text, up to what is surely the next parameter. */
export interface SecretSpan {
  start: number;
  end: number;
  /** It is the quoted value of `auth_password` in JSON, and nothing else: what stands there is known for sure. */
  isPassword: boolean;
}

/** What follows a key: the end of its quotes, a separator with any blanks around it, the beginning of quotes. */
const AFTER_KEY = /["'\\\]]{0,4}\s*(?:=>|[:=>(])?\s*(?:\\*["'])?/y;
/** A key of the contract with its separator, at the beginning of the text or after what separates parameters. */
const NEXT_KEY = new RegExp(
  `(?<=[,;&{?\\s]["'\\\\]{0,3})(?:${openNames.join('|')})(?=["'\\\\]*\\s*[:=])`,
  'gi',
);
/** Characters that belong to a key in front of it. */
const BEFORE_KEY = /[\s"'\\]/;
const DELIMITER = /[,;&{?]/;
const CLOSED_PASSWORD = /"\s*:\s*"$/;
const END_OF_JSON = /\s*\}\s*$/y;

/**
 * The secrets in text that cannot be parsed, where nobody knows where a value ends. A quoted value is passed over as
 * one; where its quotes are never closed, all the rest is secret. One pass: no character is looked at more than a few
 * times, whatever the text.
 */
export function secretsIn(text: string): SecretSpan[] {
  const spans: SecretSpan[] = [];
  const secret = new RegExp(SECRET_WORDS, 'gi');
  for (let hit = secret.exec(text); hit !== null; hit = secret.exec(text)) {
    AFTER_KEY.lastIndex = secret.lastIndex;
    const before = AFTER_KEY.exec(text)?.[0] ?? '';
    const start = secret.lastIndex + before.length;
    const quote = /[:=>(]\s*(["'])$/.exec(before)?.[1];
    const closing = quote === undefined ? start : endOfQuoted(text, start, quote);
    const end = closing === text.length ? closing : nextParameter(text, closing + (quote ? 1 : 0));
    const isPassword =
      hit[0] === 'auth_password' && CLOSED_PASSWORD.test(before) && isAlone(text, closing + 1, end);
    spans.push({ start, end: isPassword ? closing : end, isPassword });
    secret.lastIndex = Math.max(end, secret.lastIndex);
  }
  return spans.filter(({ start, end, isPassword }) => end > start || isPassword);
}

function endOfQuoted(text: string, start: number, quote: string): number {
  let at = start;
  while (at < text.length && text[at] !== quote) at += text[at] === '\\' ? 2 : 1;
  return Math.min(at, text.length);
}

/** Where the next parameter of the contract begins, with the delimiter before it; else the end. */
function nextParameter(text: string, from: number): number {
  NEXT_KEY.lastIndex = from;
  const found = NEXT_KEY.exec(text);
  if (found === null) return text.length;
  let at = found.index;
  while (at > from && BEFORE_KEY.test(text[at - 1] ?? '')) at -= 1;
  return at > from && DELIMITER.test(text[at - 1] ?? '') ? at - 1 : at;
}

/** Whether nothing but the end of the object, or a comma, stands between a value and what follows. */
function isAlone(text: string, from: number, end: number): boolean {
  END_OF_JSON.lastIndex = from;
  return (text[end] === ',' && text.slice(from, end).trim() === '') || END_OF_JSON.test(text);
}

/**
 * A dead letter, digit or _ written as an escape, escaped again or not: a key may be written so. Nothing else is resolved,
 * because these separate nothing.
 */
const ESCAPED = /%(?:25)*([0-7][\da-f])|(?<!\\)\\+(?:u00|x)([0-7][\da-f])/gi;

/** Dead letters, digits and _ by the two hexadecimal digits of their escapes: one may be sent thousands of times. */
const WORD_CHARACTERS: ReadonlyMap<string, string> = new Map(
  Array.from('_0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ').flatMap((character) => {
    const hex = character.charCodeAt(0).toString(16);
    return [hex, hex.toUpperCase()].map((each) => [each, character] as const);
  }),
);

/** A text in which keys can be found: UTF-16 read as UTF-8 has a NUL beside each dead letter. */
export function unescaped(text: string): string {
  return text
    .replaceAll('\0', '')
    .replace(
      ESCAPED,
      (escaped, percent: string | undefined, other: string | undefined) =>
        WORD_CHARACTERS.get(percent ?? other ?? '') ?? escaped,
    );
}

const AFTER_SCHEME = '://';
const USER_INFO_MAX = 256;
const END_OF_ADDRESS = /[\s"'<>]|$/g;

/**
 * A text without what stands between `://` and `@`, as far as a password may be written there by somebody careless. Where
 * an address ends, and where the next @ is, is looked for once and not for each `://` anew.
 */
function withoutUserInfo(text: string): string {
  const parts: string[] = [];
  let at = 0;
  let end = -1;
  let sign = -1;
  for (
    let hit = text.indexOf(AFTER_SCHEME);
    hit >= 0;
    hit = text.indexOf(AFTER_SCHEME, Math.max(at, hit + 1))
  ) {
    const start = hit + AFTER_SCHEME.length;
    if (sign <= start) sign = text.indexOf('@', start + 1);
    if (sign < 0) break;
    if (end < start) {
      END_OF_ADDRESS.lastIndex = start;
      end = END_OF_ADDRESS.exec(text)?.index ?? text.length;
    }
    const last = Math.min(end - 1, start + USER_INFO_MAX);
    if (sign > last) continue;
    parts.push(text.slice(at, start), MASK);
    at = text.lastIndexOf('@', last);
  }
  return parts.length === 0 ? text : parts.join('') + text.slice(at);
}

/** A text without its secrets. */
export interface Masked {
  text: string;
  /** More is missing than the value of `auth_password`. */
  isAltered: boolean;
}

/** The same of a text whose end was cut off: what may be the beginning of a password in an address is none of it. */
export function maskCutText(text: string): Masked {
  const masked = maskText(`${text}@`);
  return { ...masked, text: masked.text.replace(/@$/, '') };
}

/** Text that cannot be parsed, without what follows a key that looks like a password's. */
export function maskText(given: string): Masked {
  const text = unescaped(given);
  const spans = secretsIn(text);
  let at = 0;
  const parts = spans.map(({ start, end }) => {
    const quote = /["']/.exec(text[start - 1] ?? '')?.[0] ?? '';
    const part = text.slice(at, start) + MASK + (text[end] === quote ? '' : quote);
    at = end;
    return part;
  });
  const masked = parts.join('') + text.slice(at);
  const result = withoutUserInfo(masked);
  const isAltered = text !== given || result !== masked || spans.some(({ isPassword }) => !isPassword);
  return { text: result, isAltered };
}

/** It begins with what is the same in every address: so the engine need not try every dead letter as the first of a scheme. */
const STRICT_USER_INFO = /(:\/\/(?<=[a-z][a-z0-9+.-]{0,30}:\/\/)[^\s/?#:@]{0,256}:)[^\s/?#]{1,256}@/gi;
const QUERY_VALUE = /([?&]([^\s=&?]{0,64})=)[^\s&]+/g;

/** A body that was broken just so may have its password in the value of another parameter. */
const PASSWORD_INSIDE = /auth_?pass/i;

/**
 * Text of a caller without the password of its sender and those of addresses in it; all else may be what the caller
 * said.
 */
export function maskCallText(given: string): string {
  const text = PASSWORD_INSIDE.test(unescaped(given)) ? maskText(given).text : given;
  return text.includes('://') ? maskAddresses(text) : text;
}

function maskAddresses(text: string): string {
  return text
    .replace(STRICT_USER_INFO, `$1${MASK}@`)
    .replace(QUERY_VALUE, (pair, before: string, name: string) =>
      /pass|pwd|secret/i.test(name) ? `${before}${MASK}` : pair,
    );
}

/** A name of the contract is what it says; only these can make a call. */
export function isContractName(name: string): boolean {
  return contractNames.has(name);
}

/** A name without a secret in it: a body sent as what it is not may end up in one name as a whole. */
export function maskedName(name: string): string {
  if (name.length > NAME_MAX) return maskCutText(cut(name, NAME_MAX)).text;
  return /^\w*$/.test(name) && !SECRET.test(name) ? name : maskText(name).text;
}

/** A name that a sender made up, as a reply may repeat it. */
export function shownName(name: string): string {
  return shorten(clean(maskedName(name)), KEY_MAX);
}
