import {
  customerRow,
  type Held,
  type HeldBy,
  invoiceRow,
  nothingHeld,
  type PersistResult,
} from '../../domain/held.ts';
import type { Submission } from '../../domain/submission.ts';
import type { Database } from '../database.ts';
import { isLockTimeout, LockedTable, unmovedRows } from '../failures.ts';
import { type Sql, statement } from '../sql.ts';
import type { HeldRows } from './held-rows.ts';
import type { Lookup } from './look-up.ts';
import type { PersistBatch } from './read-ahead.ts';
import { persistWithReplays, persistWithReplaysWithin } from './replays.ts';
import type { RowIds } from './row-locks.ts';

/** For a statement that may be slow because of one of its calls: others wait behind it. */
const BRIEF_MS = 1000;

/** For a lock while the calls are searched for that wait for a key. */
const KEY_MS = 50;

/** A key that is not committed yet belongs to no row whose holder could be asked for. */
const SAME_KEY: Held = {
  kind: 'held',
  row: null,
  why: 'another session is storing the same call or dead letter',
};

/** The ways of trying a batch. */
export interface Attempts {
  /** As always. */
  plain: PersistAttempt;
  /** In one transaction with these settings of PostgreSQL, in milliseconds. */
  limited: (settings: Readonly<Record<string, number>>) => PersistAttempt;
  sql: Sql;
}
type PersistAttempt = (
  submissions: readonly Submission[],
  isHeld: HeldBy,
  lookup?: Lookup,
) => Promise<PersistResult[]>;

/**
 * Persists batches although others hold or refuse rows that their calls need: these calls come back as held, all others
 * are persisted as if the held ones were not there. A statement waits a moment for a lock; if it waits in vain, who holds
 * the rows is asked first, before any call is suspected. Rows that another worker holds are waited for. Where no row is
 * locked, somebody has inserted the same key and not committed: dividing the batch finds the calls with that key, which then wait
 * alone. Throws what the database throws, and LockedTable where a whole table is locked.
 *
 * @param patienceMs for a lock that a worker holds
 * @param lockTimeoutMs of the connections: a lock timeout that comes sooner was not a wait for a lock
 */
export function createPersistAroundLocks(
  attempts: Attempts,
  rows: HeldRows,
  patienceMs: number,
  lockTimeoutMs: number,
): PersistBatch {
  const short = attempts.limited({ lock_timeout: KEY_MS });
  const brief = attempts.limited({ statement_timeout: BRIEF_MS });
  const patient = attempts.limited({ lock_timeout: patienceMs });

  async function persist(
    submissions: readonly Submission[],
    first: PersistAttempt,
    lookup?: Lookup,
  ): Promise<PersistResult[]> {
    let attempt = first;
    for (;;) {
      const started = performance.now();
      try {
        return await attempt(submissions, rows.isHeld, attempt === first ? lookup : undefined);
      } catch (error) {
        const { held, passing } = await whatHolds(error, submissions);
        if (held === 0 && (!passing || attempt === patient)) {
          const isAlone = passing && submissions.length === 1;
          if (isAlone || !hasWaited(error, started)) throw error;
          return await divide(submissions);
        }
        attempt = held > 0 ? first : patient;
      }
    }
  }

  const hasWaited = (error: unknown, started: number) =>
    isLockTimeout(error) && performance.now() - started >= lockTimeoutMs;

  /** Persists all but those that wait for a key, in their order. */
  async function divide(submissions: readonly Submission[]): Promise<PersistResult[]> {
    if (submissions.length > 1) {
      const half = Math.ceil(submissions.length / 2);
      const first = await tryPart(submissions.slice(0, half));
      return [...first, ...(await tryPart(submissions.slice(half)))];
    }
    return [SAME_KEY];
  }

  async function tryPart(part: readonly Submission[]): Promise<PersistResult[]> {
    for (;;) {
      try {
        return await short(part, rows.isHeld);
      } catch (error) {
        if (!isLockTimeout(error)) throw error;
        const { held, passing } = await whatHolds(error, part);
        if (held > 0) continue;
        if (passing && part.length === 1) throw error;
        return await divide(part);
      }
    }
  }

  /** Whether one message is still held: nothing but trying it tells. */
  async function alone(submissions: readonly Submission[]): Promise<PersistResult[]> {
    const started = performance.now();
    try {
      return await brief(submissions, nothingHeld);
    } catch (error) {
      const { held, passing } = await whatHolds(error, submissions);
      if (held === 0 && !passing && hasWaited(error, started)) return [SAME_KEY];
      throw error;
    }
  }

  async function whatHolds(error: unknown, submissions: readonly Submission[]) {
    const unmoved = unmovedRows(error);
    if (unmoved !== undefined) {
      const nameOf = unmoved.of === 'customer' ? customerRow : invoiceRow;
      const found = unmoved.ids.map((id) => nameOf(Number(id))).filter((row) => !rows.isHeld(row));
      for (const row of found) rows.refuse(row, 'kept from being changed by a trigger or row security');
      return { held: found.length, passing: false };
    }
    if (!isLockTimeout(error)) return { held: 0, passing: false };
    try {
      return await rows.look(attempts.sql, rowsOf(submissions));
    } catch (second) {
      throw isLockTimeout(second) ? new LockedTable('a whole table is locked by somebody else') : second;
    }
  }

  return async (submissions, lookup, manner = 'ordinary') => {
    const persisted =
      manner === 'alone'
        ? await alone(submissions)
        : await persist(submissions, manner === 'brief' ? brief : attempts.plain, lookup);
    for (const outcome of persisted) {
      if (outcome.kind !== 'held' || outcome.row === null) continue;
      if (!rows.isHeld(outcome.row)) rows.refuse(outcome.row, outcome.why);
    }
    return persisted;
  };
}

const SET_FOR_TRANSACTION = statement('persist.set-for-transaction', 'select set_config($1, $2, true)');

/** Attempts on a real database. */
export function attemptsOn(
  database: Pick<Database, 'sql' | 'transaction'>,
  systemCurrency: string,
  timeoutMs: number,
): Attempts {
  return {
    sql: database.sql,
    plain: (submissions, isHeld, lookup) =>
      persistWithReplays(database, submissions, systemCurrency, timeoutMs, isHeld, lookup),
    limited: (settings) => (submissions, isHeld) =>
      database.transaction(
        async (sql) => {
          for (const [name, value] of Object.entries(settings))
            await sql(SET_FOR_TRANSACTION, [name, String(value)]);
          return await persistWithReplaysWithin(sql, submissions, systemCurrency, isHeld);
        },
        { timeoutMs },
      ),
  };
}

/** Every row that the calls of a batch may move, and the rows of its replays. */
function rowsOf(submissions: readonly Submission[]): RowIds {
  const customers = new Set<number>();
  const invoiced = new Set<number>();
  const invoices = new Set<number>();
  for (const submission of submissions) {
    if (submission.kind !== 'call') continue;
    const { scustomer, invoice, update_balance, update_invoices } = submission.call.cdr;
    if (update_balance === 1) customers.add(scustomer);
    if (update_invoices === 1 && invoice === 0) invoiced.add(scustomer);
    if (update_invoices === 1 && invoice !== 0) invoices.add(invoice);
  }
  const deadLetters = submissions.flatMap(({ replay }) => replay?.deadLetter ?? []);
  return { customers: [...customers], invoiced: [...invoiced], invoices: [...invoices], deadLetters };
}
