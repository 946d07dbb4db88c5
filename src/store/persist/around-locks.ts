import { customerRow, type Held, invoiceRow, nothingHeld, type PersistResult } from '../../domain/held.ts';
import type { Submission } from '../../domain/submission.ts';
import { isLockTimeout, LockedTable, unmovedRows } from '../failures.ts';
import type { PrismaClient } from '../generated/client.ts';
import { type Sql, sqlOf } from '../sql.ts';
import type { HeldRows } from './held-rows.ts';
import type { Known } from './read.ts';
import type { PersistKnown } from './read-ahead.ts';
import { persistAll, persistWithin } from './replays.ts';
import type { RowIds } from './row-locks.ts';

/** A single statement that takes longer is not worth that others wait for it, in milliseconds. */
const BRIEF_MS = 1000;

/** In search of the one that waits for a key, in milliseconds. */
const KEY_MS = 50;

/** A key that is not committed yet belongs to no row that could be asked for. */
const SAME_KEY: Held = {
  kind: 'held',
  row: null,
  why: 'another session is storing the same call or dead letter',
};

/** How each attempt at a batch goes to the database. */
export interface Attempts {
  /** As always. */
  plain: PersistAttempt;
  /** Within a transaction in which the given settings hold. */
  limited: (settings: Readonly<Record<string, number>>) => PersistAttempt;
  sql: Sql;
}
type PersistAttempt = (
  entries: readonly Submission[],
  isHeld: HeldRows['isHeld'],
  known?: Known,
) => Promise<PersistResult[]>;

/**
 * `settleAll` beside rows that somebody else holds or refuses: their calls come back as held, all others are persisted as
 * if these were not there. A statement waits for a lock for a moment; then it is asked whose it is, before anything else is
 * suspected. What another worker has is waited for in patience. Where no row is locked, somebody has inserted the same key
 * and not committed: those with it are found by dividing, and wait alone. Throws what the database throws, LockedTable
 * where nobody can get at a whole table.
 *
 * @param patienceMs for a lock that a worker holds
 * @param lockTimeoutMs of the connections: what ends sooner, saying the same, has not waited for a lock
 */
export function createPersistAroundLocks(
  attempts: Attempts,
  rows: HeldRows,
  patienceMs: number,
  lockTimeoutMs: number,
): PersistKnown {
  const short = attempts.limited({ lock_timeout: KEY_MS });
  const brief = attempts.limited({ statement_timeout: BRIEF_MS });
  const patient = attempts.limited({ lock_timeout: patienceMs });

  async function persist(
    entries: readonly Submission[],
    first: PersistAttempt,
    known?: Known,
  ): Promise<PersistResult[]> {
    let attempt = first;
    for (;;) {
      const started = performance.now();
      try {
        return await attempt(entries, rows.isHeld, attempt === first ? known : undefined);
      } catch (error) {
        const { held, passing } = await whatHolds(error, entries);
        if (held === 0 && (!passing || attempt === patient)) {
          const isAlone = passing && entries.length === 1;
          if (isAlone || !hasWaited(error, started)) throw error;
          return await divide(entries);
        }
        attempt = held > 0 ? first : patient;
      }
    }
  }

  const hasWaited = (error: unknown, started: number) =>
    isLockTimeout(error) && performance.now() - started >= lockTimeoutMs;

  /** Persists all but those that wait for a key, in their order. */
  async function divide(entries: readonly Submission[]): Promise<PersistResult[]> {
    if (entries.length > 1) {
      const half = Math.ceil(entries.length / 2);
      const first = await tryPart(entries.slice(0, half));
      return [...first, ...(await tryPart(entries.slice(half)))];
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
  async function alone(entries: readonly Submission[]): Promise<PersistResult[]> {
    const started = performance.now();
    try {
      return await brief(entries, nothingHeld);
    } catch (error) {
      const { held, passing } = await whatHolds(error, entries);
      if (held === 0 && !passing && hasWaited(error, started)) return [SAME_KEY];
      throw error;
    }
  }

  async function whatHolds(error: unknown, entries: readonly Submission[]) {
    const unmoved = unmovedRows(error);
    if (unmoved !== undefined) {
      const nameOf = unmoved.of === 'customer' ? customerRow : invoiceRow;
      const found = unmoved.ids.map((id) => nameOf(Number(id))).filter((row) => !rows.isHeld(row));
      for (const row of found) rows.refuse(row, 'kept from being changed by a trigger or row security');
      return { held: found.length, passing: false };
    }
    if (!isLockTimeout(error)) return { held: 0, passing: false };
    try {
      return await rows.look(attempts.sql, rowsOf(entries));
    } catch (second) {
      throw isLockTimeout(second) ? new LockedTable('a whole table is locked by somebody else') : second;
    }
  }

  return async (entries, known, manner = 'ordinary') => {
    const persisted =
      manner === 'alone'
        ? await alone(entries)
        : await persist(entries, manner === 'brief' ? brief : attempts.plain, known);
    for (const outcome of persisted) {
      if (outcome.kind !== 'held' || outcome.row === null) continue;
      if (!rows.isHeld(outcome.row)) rows.refuse(outcome.row, outcome.why);
    }
    return persisted;
  };
}

/** Attempts on a real database. */
export function attemptsOn(prisma: PrismaClient, systemCurrency: string, timeoutMs: number): Attempts {
  const sql = sqlOf(prisma);
  return {
    sql,
    plain: (entries, isHeld, known) => persistAll(prisma, entries, systemCurrency, timeoutMs, isHeld, known),
    limited: (settings) => (entries, isHeld) =>
      prisma.$transaction(
        async (transaction) => {
          const within = sqlOf(transaction);
          for (const [name, value] of Object.entries(settings))
            await within('select set_config($1, $2, true)', [name, String(value)]);
          return await persistWithin(within, entries, systemCurrency, isHeld);
        },
        { timeout: timeoutMs, maxWait: timeoutMs },
      ),
  };
}

/** Every row that the calls of a batch may move, and the rows of its replays. */
function rowsOf(entries: readonly Submission[]): RowIds {
  const customers = new Set<number>();
  const invoiced = new Set<number>();
  const invoices = new Set<number>();
  for (const { verdict } of entries) {
    if (verdict.kind !== 'call') continue;
    const { scustomer, invoice, update_balance, update_invoices } = verdict.call.cdr;
    if (update_balance === 1) customers.add(scustomer);
    if (update_invoices === 1 && invoice === 0) invoiced.add(scustomer);
    if (update_invoices === 1 && invoice !== 0) invoices.add(invoice);
  }
  const deadLetters = entries.flatMap(({ replay }) => replay?.deadLetter ?? []);
  return { customers: [...customers], invoiced: [...invoiced], invoices: [...invoices], deadLetters };
}
