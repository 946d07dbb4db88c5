import type { Fields } from './body.ts';
import { looksSecret, type SecretSpan, secretsIn, unescaped } from './secrets.ts';

/** What operators search dead letters by. */
const NAMES = ['uniqueid', 'machine', 'scustomer', 'cost', 'currency', 'auth_username'] as const;

/** A name and a plain value, up to what certainly ends it: half of a value would be another value. */
const VALUES = NAMES.map((name) => ({
  name,
  pattern: new RegExp(
    `(?<![\\w.-])${name}["'\\\\]{0,4}\\s*[:=>]\\s*(?:\\\\*["'])?([\\w.@/#:-]{1,255})(?=["'\\\\,;&}<\\s]|$)`,
    'gi',
  ),
}));

/** Guesses parameters of a call whose body cannot be parsed, only so that it can be found. Never from what may be a password. */
export function readLoosely(given: string): Fields {
  const text = unescaped(given);
  const spans = secretsIn(text);
  const found = VALUES.flatMap(({ name, pattern }) => {
    const value = firstOutside(spans, text.matchAll(pattern));
    // A broken body may join a key and a secret into one word. `BYPASS-6` is not such a word.
    const isSafe = value !== undefined && !looksSecret(value.replace(/pass(?=[-_.@/#]|$)/gi, ''));
    return isSafe ? [[name, value] as const] : [];
  });
  return Object.fromEntries(found);
}

/** The first match outside of all spans. Both are in the order of the text. */
function firstOutside(spans: readonly SecretSpan[], matches: Iterable<RegExpExecArray>): string | undefined {
  let next = 0;
  for (const { index, 1: value } of matches) {
    while ((spans[next]?.end ?? Number.POSITIVE_INFINITY) <= index) next += 1;
    if (index < (spans[next]?.start ?? Number.POSITIVE_INFINITY)) return value;
  }
  return undefined;
}
