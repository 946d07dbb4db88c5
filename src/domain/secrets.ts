import { parameterNames } from './contract.ts';
import { endOfString } from './json-text.ts';

/**
 * Words in names whose values are secret. `auth` covers `authorization` and misspellings of `auth_password`, but not
 * `auth_username`, which is no secret.
 */
const SECRET_WORDS =
  'auth_?passw(?:or)?d|auth_?pass|auth_?pw|auth_?token|authori[sz]ation|authentication|auth(?!_?user(?:name)?(?![a-z]))|' +
  'password|passphrase|passwd|pass|pwd|pw(?![a-z])|secret|token|credentials?|bearer|cookie|(?:api|private)[-_ ]?key';
const SECRET = new RegExp(SECRET_WORDS, 'i');
const contractNames: ReadonlySet<string> = new Set(parameterNames);
const openNames = parameterNames.filter((name) => name !== 'auth_password');

/** Whether this is the name of a parameter. Only these make up a call, and each is what it says. */
export function isContractName(name: string): boolean {
  return contractNames.has(name);
}

/** Whether values of this name must never be shown, logged or stored. */
export function looksSecret(name: string): boolean {
  if (contractNames.has(name)) return name === 'auth_password';
  return containsSecretWord(/^[\w-]*$/.test(name) ? name : unescaped(name));
}

/** Whether a text contains a word of a secret name. */
export function containsSecretWord(text: string): boolean {
  return SECRET.test(text);
}

const WITH_VALUE = new RegExp(`(?:${SECRET_WORDS})\\w*["'\\\\\\]]{0,4}\\s{0,20}[:=]`, 'i');

/** Whether a text has a secret name with a value after it, such as `sip_auth_password=x`, and not just the word. */
export function namesSecret(text: string): boolean {
  return WITH_VALUE.test(unescaped(text));
}

const AT_END = new RegExp(`(?:${SECRET_WORDS})\\W*$`, 'i');
/** No key is searched further back than this: beyond it, what follows is taken for a secret. */
const END_MAX = 2000;
const NO_WORD = /^\W*$/;

/** Whether what follows this text may be a secret. */
export function endsSecret(text: string): boolean {
  const end = unescaped(text.slice(-END_MAX));
  return AT_END.test(end) || (text.length > END_MAX && NO_WORD.test(end));
}

/** Where a secret may stand in a text: up to what is certainly the next parameter. */
export interface SecretSpan {
  start: number;
  end: number;
  /** It is exactly the quoted value of `auth_password` in JSON, nothing more. */
  isPassword: boolean;
}

/** What separates a key from its value: the end of its quotes, a separator with blanks around it, an opening quote. */
const AFTER_KEY = /["'\\\]]{0,4}\s*(?:=>|[:=>(])?\s*(?:\\*["'])?/y;
/** A parameter's name with its separator, after what separates parameters. */
const NEXT_KEY = new RegExp(
  `(?<=[,;&{?\\s]["'\\\\]{0,3})(?:${openNames.join('|')})(?=["'\\\\]*\\s*[:=])`,
  'gi',
);
/** Characters that belong to the key after them. */
const BEFORE_KEY = /[\s"'\\]/;
const DELIMITER = /[,;&{?]/;
const CLOSED_PASSWORD = /"\s*:\s*"$/;
const END_OF_JSON = /\s*\}\s*$/y;

/**
 * The secrets in text that cannot be parsed, so that nobody knows where a value ends. A quoted value is skipped as a
 * whole; if its quotes are never closed, all the rest is secret. One pass: whatever the text, no character is visited
 * more than a few times.
 */
export function secretsIn(text: string): SecretSpan[] {
  const spans: SecretSpan[] = [];
  const secret = new RegExp(SECRET_WORDS, 'gi');
  for (let hit = secret.exec(text); hit !== null; hit = secret.exec(text)) {
    AFTER_KEY.lastIndex = secret.lastIndex;
    const before = AFTER_KEY.exec(text)?.[0] ?? '';
    const start = secret.lastIndex + before.length;
    const quote = /[:=>(]\s*(["'])$/.exec(before)?.[1];
    const closing = quote === undefined ? start : endOfString(text, start - 1, quote);
    const end = closing === text.length ? closing : nextParameter(text, closing + (quote ? 1 : 0));
    const isPassword =
      hit[0] === 'auth_password' && CLOSED_PASSWORD.test(before) && isAlone(text, closing + 1, end);
    spans.push({ start, end: isPassword ? closing : end, isPassword });
    secret.lastIndex = Math.max(end, secret.lastIndex);
  }
  return spans.filter(({ start, end, isPassword }) => end > start || isPassword);
}

/** Where the next parameter begins, its delimiter included; the end of the text if there is none. */
function nextParameter(text: string, from: number): number {
  NEXT_KEY.lastIndex = from;
  const found = NEXT_KEY.exec(text);
  if (found === null) return text.length;
  let at = found.index;
  while (at > from && BEFORE_KEY.test(text[at - 1] ?? '')) at -= 1;
  return at > from && DELIMITER.test(text[at - 1] ?? '') ? at - 1 : at;
}

/** Whether only a comma or the end of the object stands between a value and what follows. */
function isAlone(text: string, from: number, end: number): boolean {
  END_OF_JSON.lastIndex = from;
  return (text[end] === ',' && text.slice(from, end).trim() === '') || END_OF_JSON.test(text);
}

/**
 * A letter, digit or underscore as an escape, possibly escaped again: a key may be written that way. Other escapes are
 * left alone; the characters above never separate anything, so resolving them moves no boundary.
 */
const ESCAPED = /%(?:25)*([0-7][\da-f])|(?<!\\)\\+(?:u00|x)([0-7][\da-f])/gi;

/** These characters by the two hexadecimal digits of their escapes. A table, since there may be thousands of escapes. */
const WORD_CHARACTERS: ReadonlyMap<string, string> = new Map(
  Array.from('_0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ').flatMap((character) => {
    const hex = character.charCodeAt(0).toString(16);
    return [hex, hex.toUpperCase()].map((each) => [each, character] as const);
  }),
);

/** A text in which keys can be found. NUL is dropped, because UTF-16 read as UTF-8 has one beside each letter. */
export function unescaped(text: string): string {
  return text
    .replaceAll('\0', '')
    .replace(
      ESCAPED,
      (escaped, percent: string | undefined, other: string | undefined) =>
        WORD_CHARACTERS.get(percent ?? other ?? '') ?? escaped,
    );
}
