import type { BillingRules } from '../../domain/charge.ts';
import type { Call } from '../../domain/decide.ts';
import type { Manner, PersistResult } from '../../domain/held.ts';
import type { Submission } from '../../domain/submission.ts';
import type { Sql } from '../sql.ts';
import { type Lookup, lookUp } from './look-up.ts';
import { isCall } from './persist.ts';
import { readClaims } from './replay-claims.ts';

/** Persists a batch; `lookup` is what its calls refer to, where it has been looked up before. */
export type PersistBatch = (
  submissions: readonly Submission[],
  lookup?: Lookup,
  manner?: Manner,
) => Promise<PersistResult[]>;

/** What a batch refers to, and beside it the rows of its replays. */
function readAll(sql: Sql, submissions: readonly Submission[], billing: BillingRules): Promise<Lookup> {
  const calls = submissions.filter(isCall).map(({ call }) => call);
  return submissions.some(({ replay }) => replay !== undefined)
    ? readWithReplays(sql, submissions, calls, billing)
    : lookUp(sql, calls, billing);
}

async function readWithReplays(
  sql: Sql,
  submissions: readonly Submission[],
  calls: readonly Call[],
  billing: BillingRules,
): Promise<Lookup> {
  const replays = submissions.flatMap(({ replay }) => replay ?? []);
  const [lookup, claims] = await Promise.all([lookUp(sql, calls, billing), readClaims(sql, replays)]);
  return { ...lookup, claims };
}

/** What was looked up longer ago than this, in milliseconds, is looked up again: the billing system moves on. */
const FRESH_MS = 1000;

/**
 * For batches that are persisted one after the other: the lookup of each runs while the one before may still be written. What
 * that one stores meanwhile is added to the lookup when it is the next one's turn. Whatever else has changed by then
 * is found out by the statement that writes, as always.
 *
 * @param now milliseconds on a clock that never goes back
 * @returns starts the lookup of a batch; calling the result persists the batch
 */
export function createReadAhead(
  sql: Sql,
  billing: BillingRules,
  persist: PersistBatch,
  now = () => performance.now(),
): (submissions: readonly Submission[], manner?: Manner) => () => Promise<PersistResult[]> {
  let latest: Since = { stored: undefined };

  const note = (submissions: readonly Submission[], outcomes: readonly PersistResult[]) => {
    submissions.forEach((submission, index) => {
      if (submission.kind !== 'call' || outcomes[index]?.kind !== 'accepted') return;
      const { cdr, fingerprint } = submission.call;
      latest.stored = (latest.stored ?? new Map()).set(cdr.uniqueid, fingerprint);
    });
  };

  return (submissions, manner = 'ordinary') => {
    if (manner !== 'ordinary')
      return async () => {
        const outcomes = await persist(submissions, undefined, manner);
        note(submissions, outcomes);
        return outcomes;
      };
    const startedAt = now();
    const since: Since = { stored: undefined };
    latest = since;
    const looking = readAll(sql, submissions, billing);
    // The batch may never be persisted; then nobody is told of a failure.
    looking.catch(() => undefined);
    return async () => {
      const lookup = await looking;
      const isFresh = now() - startedAt <= FRESH_MS;
      const outcomes = await persist(submissions, isFresh ? withStored(lookup, since) : undefined);
      if (latest !== since) note(submissions, outcomes);
      return outcomes;
    };
  };
}

/** Fingerprints by uniqueid of what was stored since a lookup began; missing while there is nothing. */
interface Since {
  stored: Map<string, string> | undefined;
}

function withStored(lookup: Lookup, { stored }: Since): Lookup {
  return stored === undefined ? lookup : { ...lookup, stored: new Map([...lookup.stored, ...stored]) };
}
