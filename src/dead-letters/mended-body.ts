import { readBody } from '../domain/body.ts';
import { leftoversIn } from '../domain/content.ts';
import { isDecimal, parameters } from '../domain/contract.ts';
import { uniqueidOf } from '../domain/dead-letter.ts';
import { keepReadable } from '../domain/dead-letter-body.ts';
import { Failure } from '../sources/failure.ts';
import type { Feed } from '../sources/feed.ts';
import { mapRecord } from '../sources/map.ts';
import { isSameCall, maskRecord } from '../sources/mask.ts';

/** The text that an operator wrote in place of a body, as it is kept; or why it cannot stand in its place. */
export type MendedBody =
  | {
      kind: 'read';
      body: string;
      /** Null where it has none. */
      uniqueid: string | null;
      /** What was left out of it, or is still wrong with it, for the operator. */
      said: string[];
    }
  | { kind: 'refused'; problem: string };

/** What a replay has no use for. A password must not be kept, and nobody is asked for validation. */
const LEFT_OUT = ['auth_username', 'auth_password', 'validation'] as const;
const SECRET_INSIDE = 'has what may be a password, which is never kept';

/** A call of the contract: a JSON object, or pairs as of a form. */
export function mendedCall(given: string): MendedBody {
  const text = given.replace(/^\uFEFF/, '');
  const format = /^\s*[{[]/.test(text) ? 'json' : 'form';
  if (format === 'form' && !text.includes('='))
    return refused('expected a JSON object of parameters, or name=value pairs');
  const read = readBody(text, format, isDecimal);
  if (read.kind === 'unreadable')
    return refused(read.key === '' ? read.message : `${read.key}: ${read.message}`);
  if (parameters.shape.validation.safeParse(read.fields.validation).data === 1)
    return refused('has validation=1, but a replay is a call and never a question');
  const left = LEFT_OUT.filter((name) => Object.hasOwn(read.fields, name));
  const fields = Object.fromEntries(
    Object.entries(read.fields).filter(([name]) => !(LEFT_OUT as readonly string[]).includes(name)),
  );
  const { body, altered } = keepReadable(fields, leftoversIn({ text, format }));
  if (altered.length > 0) return refused(`${altered.join(', ')} ${SECRET_INSIDE}`);
  const said = left.length === 0 ? [] : [`${left.join(', ')} left out: a replay needs none`];
  return { kind: 'read', body, uniqueid: uniqueidOf(fields), said };
}

/**
 * A record, as its feed writes it. One that cannot be mapped yet is taken: the sources file may be what is wrong.
 *
 * @param feed undefined if the sources file lacks it
 */
export function mendedRecord(text: string, source: string, feed: Feed | undefined): MendedBody {
  if (feed === undefined)
    return refused(`cannot be checked, because the feed ${source} is not in SOURCES_FILE here`);
  const read = feed.read(text);
  if (read instanceof Failure) return refused(`is no record of the feed ${source}: ${read.message}`);
  const mapped = mapRecord(feed, text);
  if (mapped.kind === 'skip') return refused(`is a record that the sources file skips (${mapped.field})`);
  const body = maskRecord(feed, text, mapped);
  if (!isSameCall(mapped, mapRecord(feed, body))) return refused(SECRET_INSIDE);
  const said =
    mapped.kind === 'call'
      ? []
      : mapped.errors.map(
          ({ key, message }) => `not mapped yet: ${key === '' ? message : `${key}: ${message}`}`,
        );
  return { kind: 'read', body, uniqueid: uniqueidOf(mapped.fields), said };
}

function refused(problem: string): MendedBody {
  return { kind: 'refused', problem };
}
