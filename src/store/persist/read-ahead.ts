import type { Manner, PersistResult } from '../../domain/held.ts';
import type { Submission } from '../../domain/submission.ts';
import type { Sql } from '../sql.ts';
import { type Known, readKnown } from './read.ts';

/** Persists entries; what their calls refer to need not be asked where it is known. */
export type PersistKnown = (
  entries: readonly Submission[],
  known?: Known,
  manner?: Manner,
) => Promise<PersistResult[]>;

/** What was read longer ago than this, in milliseconds, is read again: the billing system moves on. */
const FRESH_MS = 1000;

/**
 * Prepares batches that are persisted one after the other, each while the one before may still be written: what its
 * calls refer to is asked at once, and what that one stored meanwhile is added to the answer when it is its turn.
 * What else has changed until then is found out by the statement that writes, as always.
 *
 * @param now milliseconds on a clock that never goes back
 */
export function createPrepare(
  sql: Sql,
  systemCurrency: string,
  persist: PersistKnown,
  now = () => performance.now(),
): (entries: readonly Submission[], manner?: Manner) => () => Promise<PersistResult[]> {
  /** Fingerprints by uniqueid of what was stored since the latest question. */
  let storedSince = new Map<string, string>();

  async function persistAndNote(
    entries: readonly Submission[],
    known?: Known,
    manner?: Manner,
  ): Promise<PersistResult[]> {
    const outcomes = await persist(entries, known, manner);
    entries.forEach(({ verdict }, index) => {
      if (verdict.kind !== 'call' || outcomes[index]?.kind !== 'accepted') return;
      storedSince.set(verdict.call.cdr.uniqueid, verdict.call.fingerprint);
    });
    return outcomes;
  }

  return (entries, manner = 'ordinary') => {
    if (manner !== 'ordinary') return () => persistAndNote(entries, undefined, manner);
    // A replay is persisted on its row first.
    if (entries.some(({ replay }) => replay !== undefined)) return () => persistAndNote(entries);
    const calls = entries.flatMap(({ verdict }) => (verdict.kind === 'call' ? [verdict.call.cdr] : []));
    const askedAt = now();
    const since = new Map<string, string>();
    storedSince = since;
    const asked = readKnown(sql, calls, systemCurrency);
    // Nobody may ever want the answer.
    asked.catch(() => undefined);
    return async () => {
      const known = await asked;
      if (now() - askedAt > FRESH_MS) return await persistAndNote(entries);
      return await persistAndNote(entries, { ...known, stored: new Map([...known.stored, ...since]) });
    };
  };
}
