import { parameterNames } from './contract.ts';
import { clean, shorten } from './text.ts';

export const MASK = '***';

const KEY_MAX = 100;
const SECRET_NAME = 'pass|pwd|secret|token|credential';
const SECRET = new RegExp(SECRET_NAME, 'i');

/** Names whose values are never shown, logged or stored. */
export function looksSecret(name: string): boolean {
  return SECRET.test(name);
}

const CONTRACT_NAMES = parameterNames.filter((name) => !looksSecret(name)).join('|');
/**
 * A key that looks like a password's, and all that follows until something that is surely the next parameter:
 * where text cannot be parsed, nobody knows where a value ends. A quoted value is passed over as one. Every
 * repetition has a limit, so that no text takes long or much memory.
 */
const SECRET_IN_TEXT = new RegExp(
  `((?:${SECRET_NAME})\\w{0,40}["']?\\s{0,8}[:=]?\\s{0,8})` +
    `(?:"(?:[^"\\\\]|\\\\.){0,4096}"|'(?:[^'\\\\]|\\\\.){0,4096}')?` +
    `.*?(?=[,;&{\\s]["'\\s]{0,8}(?:${CONTRACT_NAMES})["'\\s]{0,8}[:=]|$)`,
  'gis',
);
const ESCAPED_ASCII = /%([0-7][\da-f])|\\u00([0-7][\da-f])/gi;

/** Text without what follows a key that looks like a password's. */
export function maskSecrets(text: string): string {
  return text.replace(ESCAPED_ASCII, wordCharacter).replace(SECRET_IN_TEXT, `$1${MASK}`);
}

/** A key may be written with escapes; only letters, digits and _ are resolved, which separate nothing. */
function wordCharacter(escaped: string, percent: string | undefined, unicode: string | undefined): string {
  const character = String.fromCharCode(Number.parseInt(percent ?? unicode ?? '', 16));
  return /\w/.test(character) ? character : escaped;
}

/** A name without a secret in it: a body sent as what it is not may end up in one name as a whole. */
export function maskedName(name: string): string {
  return /^\w*$/.test(name) ? name : maskSecrets(name);
}

/** A name that a sender made up, as a reply may repeat it. */
export function shownName(name: string): string {
  return shorten(clean(maskedName(name)), KEY_MAX);
}
