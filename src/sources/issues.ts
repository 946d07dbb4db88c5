import type * as z from 'zod';
import { shown } from '../domain/text.ts';
import type { Problem } from './combine.ts';
import { feedKeys, operatorKeys } from './keys.ts';
import { mappedNames } from './schema.ts';

type Issue = z.core.$ZodIssue;

const KINDS: Readonly<Record<string, string>> = {
  string: 'text',
  array: 'a list',
  object: 'a mapping',
  record: 'a mapping',
};

/** What zod found, as problems that say what was expected and what came. */
export function problemsOf(issues: readonly Issue[], content: unknown): Problem[] {
  return issues.flatMap((issue) => problemsIn(issue, [], content));
}

function problemsIn(issue: Issue, above: Problem['at'], content: unknown): Problem[] {
  const at = [...above, ...issue.path.map((step) => (typeof step === 'number' ? step : String(step)))];
  const value = valueAt(content, at);
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.map((key) => ({
        at: [...at, key],
        message: `expected one of ${keysAt(at)}, got ${shown(key)}`,
        isKey: true,
      }));
    case 'invalid_union': {
      // The schema of what came, where there is one; else it is of none of the kinds.
      const fitting = issue.errors.filter(
        (each) => !each.some(({ code, path }) => code === 'invalid_type' && path.length === 0),
      );
      const [only] = fitting;
      if (only !== undefined) return only.flatMap((each) => problemsIn(each as Issue, at, content));
      return [{ at, message: `${unionExpected(issue)}, got ${described(value)}` }];
    }
    case 'invalid_type':
      return [
        { at, message: `expected ${KINDS[issue.expected] ?? issue.expected}, got ${described(value)}` },
      ];
    case 'invalid_value':
      return [{ at, message: `expected ${alternatives(issue.values.map(String))}, got ${described(value)}` }];
    case 'invalid_key':
      return [
        {
          at,
          message: `expected a name of letters, digits, _, . and -, got ${shown(at.at(-1))}`,
          isKey: true,
        },
      ];
    case 'too_small':
    case 'too_big':
      return [{ at, message: `expected ${sizeExpected(issue)}, got ${described(value)}` }];
    default:
      return [{ at, message: `expected ${issue.message}, got ${described(value)}` }];
  }
}

function unionExpected(issue: Issue & { code: 'invalid_union' }): string {
  if (issue.discriminator !== undefined) return 'expected json, form, csv or positional';
  const kinds = issue.errors
    .flat()
    .map((each) => ('expected' in each ? (KINDS[String(each.expected)] ?? '') : ''));
  return `expected ${alternatives([...new Set(kinds)].filter((kind) => kind !== ''))}`;
}

function sizeExpected(issue: Issue & { code: 'too_small' | 'too_big' }): string {
  const limit = issue.code === 'too_small' ? `at least ${issue.minimum}` : `at most ${issue.maximum}`;
  const number = issue.code === 'too_small' ? issue.minimum : issue.maximum;
  return `${limit} ${issue.origin === 'string' ? 'character' : 'item'}${Number(number) === 1 ? '' : 's'}`;
}

function keysAt(at: Problem['at']): string {
  if (at.length === 1)
    return feedKeys()
      .map(({ key }) => key)
      .join(', ');
  if (at.length === 2 && at[1] === 'call') return mappedNames.join(', ');
  const last = at.at(-1);
  if (last === 'number') return 'country, international, national';
  if (last === 'decimal') return 'point, shift, round';
  if (last === 'header' || last === 'trailer') return 'starts';
  return operatorKeys()
    .map(({ key }) => key)
    .join(', ');
}

function alternatives(words: readonly string[]): string {
  return words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} or ${words.at(-1)}`;
}

function described(value: unknown): string {
  if (value === undefined || value === null) return 'nothing';
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : 'a list';
  return typeof value === 'object' ? 'a mapping' : shown(value);
}

function valueAt(content: unknown, at: Problem['at']): unknown {
  let value = content;
  for (const step of at) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, step)) return undefined;
    value = (value as Record<string | number, unknown>)[step];
  }
  return value;
}
