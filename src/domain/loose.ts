import type { Fields } from './body.ts';
import { looksSecret, type SecretSpan, secretsIn, unescaped } from './secrets.ts';

/** What an operator looks for in a message that cannot be read. */
const NAMES = ['uniqueid', 'machine', 'scustomer', 'cost', 'currency', 'auth_username'] as const;

/** A plain value after its name, up to what surely ends it: half a value would be another one. */
const VALUES = NAMES.map((name) => ({
  name,
  pattern: new RegExp(
    `(?<![\\w.-])${name}["'\\\\]{0,4}\\s*[:=>]\\s*(?:\\\\*["'])?([\\w.@/#:-]{1,255})(?=["'\\\\,;&}<\\s]|$)`,
    'gi',
  ),
}));

/**
 * What can be told of a call whose body cannot be parsed, for finding it and for nothing else. Never out of what may be a
 * password.
 */
export function readLoosely(given: string): Fields {
  const text = unescaped(given);
  const spans = secretsIn(text);
  const found = VALUES.flatMap(({ name, pattern }) => {
    const value = firstOutside(spans, text.matchAll(pattern));
    // A key and a secret may be one word where what stood between them was lost; `BYPASS-6` is none.
    const isSafe = value !== undefined && !looksSecret(value.replace(/pass(?=[-_.@/#]|$)/gi, ''));
    return isSafe ? [[name, value] as const] : [];
  });
  return Object.fromEntries(found);
}

/** Both are in the order of the text. */
function firstOutside(spans: readonly SecretSpan[], matches: Iterable<RegExpExecArray>): string | undefined {
  let next = 0;
  for (const { index, 1: value } of matches) {
    while ((spans[next]?.end ?? Number.POSITIVE_INFINITY) <= index) next += 1;
    if (index < (spans[next]?.start ?? Number.POSITIVE_INFINITY)) return value;
  }
  return undefined;
}
