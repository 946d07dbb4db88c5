import { containsSecretWord, namesSecret, secretsIn, unescaped } from './secrets.ts';
import { clean, cut, shorten } from './text.ts';

export const MASK = '***';

/** A text without its secrets. */
export interface Masked {
  text: string;
  /** Something other than the value of `auth_password` was masked or resolved. */
  isAltered: boolean;
}

/** Masks, in text that cannot be parsed, whatever follows a key that looks like a password's. */
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

/** The same for a text that was cut off: at its end, a password in an address may lack the @ that would reveal it. */
export function maskCutText(text: string): Masked {
  const masked = maskText(`${text}@`);
  return { ...masked, text: masked.text.replace(/@$/, '') };
}

const AFTER_SCHEME = '://';
const USER_INFO_MAX = 256;
const END_OF_ADDRESS = /[\s"'<>]|$/g;

/**
 * Masks what stands between `://` and `@`, wherever careless people may have put a password. The end of an address and
 * the next @ are searched once and not again for each `://`, so that the time stays linear.
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

/** It begins with the part that all addresses have in common, so that the engine does not try every letter as a scheme. */
const STRICT_USER_INFO = /(:\/\/(?<=[a-z][a-z0-9+.-]{0,30}:\/\/)[^\s/?#:@]{0,256}:)[^\s/?#]{1,256}@/gi;
const QUERY_VALUE = /([?&]([^\s=&?]{0,64})=)[^\s&]+/g;

/** In a body broken in just this way, a password may be part of the value of another parameter. */
const PASSWORD_INSIDE = /auth_?pass/i;

/** Text of a caller without the password of the sender and without passwords in addresses; anything else stays. */
export function maskCallText(given: string): string {
  const text = PASSWORD_INSIDE.test(unescaped(given)) ? maskText(given).text : given;
  return text.includes('://') ? maskAddresses(text) : text;
}

const SIP_PASSWORD = /(\bsips?:[^\s:@<>"]{1,256}:)[^\s:@<>"]{1,256}@/gi;

/** A value of a native record, or a record that cannot be read, without what is said to be a password. */
export function maskNativeText(given: string): string {
  const text = namesSecret(given) ? maskText(given).text : maskCallText(given);
  return text.replace(SIP_PASSWORD, `$1${MASK}@`);
}

function maskAddresses(text: string): string {
  return text
    .replace(STRICT_USER_INFO, `$1${MASK}@`)
    .replace(QUERY_VALUE, (pair, before: string, name: string) =>
      /pass|pwd|secret/i.test(name) ? `${before}${MASK}` : pair,
    );
}

/** Code points of a name that are searched for secrets, and of these the ones that are shown. */
const NAME_MAX = 1000;
const SHOWN_MAX = 100;

/** A name without secrets: a body sent with the wrong content type may turn into one long name. */
function maskedName(name: string): string {
  if (name.length > NAME_MAX) return maskCutText(cut(name, NAME_MAX)).text;
  return /^\w*$/.test(name) && !containsSecretWord(name) ? name : maskText(name).text;
}

/** A name that a sender made up, as a reply may repeat it. */
export function shownName(name: string): string {
  return shorten(clean(maskedName(name)), SHOWN_MAX);
}
