import { customerRow, type Held, invoiceRow, nothingHeld, type PersistResult } from '../../domain/held.ts';
import type { Submission } from '../../domain/submission.ts';
import { answersInOrder, pairs } from '../../pairs.ts';
import {
  classifyFailure,
  describeFailure,
  isLockTimeout,
  LockedTable,
  RowOfWorker,
  unmovedRows,
} from '../failures.ts';
import type { Sql } from '../sql.ts';
import type { Attempts, LimitedAttempt } from './attempts.ts';
import { inTurn } from './corrections-in-turn.ts';
import type { HeldRows } from './held-rows.ts';
import type { Lookup } from './look-up.ts';
import type { PersistBatch } from './read-ahead.ts';
import type { RowIds } from './row-locks.ts';
import { lockedTable } from './table-locks.ts';

/** For a statement that may be slow because of one of its calls: others wait behind it. */
const BRIEF_MS = 1000;

/** For a lock in such a statement: its own timeout would not tell that it was a lock that it waited for. */
const BRIEF_LOCK_MS = BRIEF_MS / 2;

/** For a lock while the calls are searched for that wait for a key. */
const KEY_MS = 50;

/** A key that is not committed yet, or what a trigger asks for, belongs to no row whose holder could be asked for. */
const SAME_KEY: Held = {
  kind: 'held',
  cause: 'lock',
  row: null,
  why: 'another session is storing the same call or dead letter, or has locked what a trigger of theirs needs',
};

export interface LockLimits {
  /** Of the connections. */
  lockTimeoutMs: number;
  /** For a lock that a worker holds. */
  patienceMs: number;
}

/**
 * Persists batches although others hold or refuse rows that their calls need: these calls come back as held, all others
 * are persisted as if the held ones were not there. A statement waits a moment for a lock; if it waits in vain, who holds
 * the rows is asked first, before any call is suspected. Rows that another worker holds are waited for. Where no row is
 * locked, somebody has inserted the same key and not committed: dividing the batch finds the calls with that key, which then wait
 * alone. Throws what the database throws, and LockedTable where a whole table is locked.
 *
 * @param now milliseconds on a clock that never goes back
 */
export function createPersistAroundLocks(
  attempts: Attempts,
  rows: HeldRows,
  limits: LockLimits,
  now: () => number = () => performance.now(),
): PersistBatch {
  const around = new AroundLocks(attempts, rows, limits, now);
  const tryAll: PersistBatch = (submissions, lookup, manner) => {
    if (manner === 'alone') return around.alone(submissions);
    const way = manner === 'brief' ? around.brief : around.plain;
    return submissions.some(isSingle)
      ? apart(submissions, (part) => around.together(part, way, lookup))
      : around.together(submissions, way, lookup);
  };
  const noteRefused = (persisted: PersistResult[]) => {
    for (const outcome of persisted) {
      if (outcome.kind !== 'held' || outcome.row === null) continue;
      if (!rows.isHeld(outcome.row)) rows.refuse(outcome.row, outcome.why);
    }
    return persisted;
  };
  return (submissions, lookup, manner) => tryAll(submissions, lookup, manner).then(noteRefused);
}

/**
 * Persists the corrections of a batch one by one after everything else, so that one that fails undoes and repeats nothing. A
 * failure that comes after something was persisted ends only its own message's try, which waits to be tried alone.
 */
async function apart(
  submissions: readonly Submission[],
  persist: (part: readonly Submission[]) => Promise<PersistResult[]>,
): Promise<PersistResult[]> {
  const [single, together] = [submissions.filter(isSingle), submissions.filter((one) => !isSingle(one))];
  const results = new Map<Submission, PersistResult>();
  const note = (part: readonly Submission[], persisted: readonly PersistResult[]) => {
    for (const [submission, result] of pairs(part, persisted)) results.set(submission, result);
  };
  if (together.length > 0) note(together, await persist(together));
  let hasPersisted = together.length > 0;
  const corrected = await inTurn(single, async (submission) => {
    try {
      const [result] = await persist([submission]);
      hasPersisted = true;
      return result ?? { kind: 'held', cause: 'message', row: null, why: 'was not persisted' };
    } catch (error) {
      // What passes may last longer than a message may wait, or find no room to wait: the whole batch is tried again.
      if (!hasPersisted || classifyFailure(error) !== 'message') throw error;
      return { kind: 'held', cause: 'message', row: null, why: describeFailure(error) };
    }
  });
  note(single, corrected);
  return answersInOrder(submissions, results);
}

/** An operator's order is answered in a transaction of its own, also where its message is refused. */
function isSingle({ kind, order }: Submission): boolean {
  return kind === 'correction' || order !== undefined;
}

/** A way of trying a batch. */
interface Way {
  attempt: Attempts['plain'];
  /** The longest that it waits for a lock: a lock timeout that comes sooner was not a wait for a lock. */
  lockTimeoutMs: number;
}

class AroundLocks {
  readonly plain: Way;
  readonly brief: Way;
  readonly #patient: Way;
  readonly #short: LimitedAttempt;
  readonly #sql: Sql;
  readonly #openStatuses: readonly string[];
  readonly #rows: HeldRows;
  readonly #now: () => number;

  constructor(
    attempts: Attempts,
    rows: HeldRows,
    { lockTimeoutMs, patienceMs }: LockLimits,
    now: () => number,
  ) {
    const briefMs = Math.min(lockTimeoutMs, BRIEF_LOCK_MS);
    this.plain = { attempt: attempts.plain, lockTimeoutMs };
    this.brief = {
      attempt: attempts.limited({ statement_timeout: BRIEF_MS, lock_timeout: briefMs }),
      lockTimeoutMs: briefMs,
    };
    this.#patient = { attempt: attempts.limited({ lock_timeout: patienceMs }), lockTimeoutMs: patienceMs };
    this.#short = attempts.limited({ lock_timeout: KEY_MS });
    this.#sql = attempts.sql;
    this.#openStatuses = attempts.openStatuses;
    this.#rows = rows;
    this.#now = now;
  }

  /** Tries the batch again as long as that finds rows to leave out, and once in patience. */
  async together(submissions: readonly Submission[], first: Way, lookup?: Lookup): Promise<PersistResult[]> {
    let way = first;
    for (;;) {
      const started = this.#now();
      try {
        return await way.attempt(submissions, this.#rows.isHeld, way === first ? lookup : undefined);
      } catch (error) {
        const { held, passing } = await this.#askWhoHolds(error, submissions);
        if (held === 0 && (!passing || way === this.#patient)) {
          if (passing && submissions.length === 1) throw rowOfWorker();
          if (!this.#hasWaited(error, started, way)) throw error;
          return await this.#divide(submissions);
        }
        way = held > 0 ? first : this.#patient;
      }
    }
  }

  /** Tries one message whose row is held: nothing else tells whether it still is. */
  async alone(submissions: readonly Submission[]): Promise<PersistResult[]> {
    const started = this.#now();
    try {
      return await this.brief.attempt(submissions, nothingHeld);
    } catch (error) {
      const { held, passing } = await this.#askWhoHolds(error, submissions);
      if (held === 0 && passing) throw rowOfWorker();
      if (held === 0 && this.#hasWaited(error, started, this.brief)) return [SAME_KEY];
      throw error;
    }
  }

  /** Persists all but those that wait for a key, in their order. */
  async #divide(submissions: readonly Submission[]): Promise<PersistResult[]> {
    if (submissions.length <= 1) return [SAME_KEY];
    const half = Math.ceil(submissions.length / 2);
    const first = await this.#tryPart(submissions.slice(0, half));
    return [...first, ...(await this.#tryPart(submissions.slice(half)))];
  }

  async #tryPart(part: readonly Submission[]): Promise<PersistResult[]> {
    for (;;) {
      try {
        return await this.#short(part, this.#rows.isHeld);
      } catch (error) {
        if (!isLockTimeout(error)) throw error;
        const { held, passing } = await this.#askWhoHolds(error, part);
        if (held > 0) continue;
        if (passing && part.length === 1) throw rowOfWorker();
        return await this.#divide(part);
      }
    }
  }

  /** `held`: how many rows count as held since this look. `passing`: a worker has one that the batch needs, and only for a moment. */
  async #askWhoHolds(
    error: unknown,
    submissions: readonly Submission[],
  ): Promise<{ held: number; passing: boolean }> {
    const unmoved = unmovedRows(error);
    if (unmoved !== undefined) {
      const nameOf = unmoved.of === 'customer' ? customerRow : invoiceRow;
      const found = unmoved.ids.map((id) => nameOf(Number(id))).filter((row) => !this.#rows.isHeld(row));
      for (const row of found) this.#rows.refuse(row, 'kept from being changed by a trigger or row security');
      return { held: found.length, passing: false };
    }
    if (!isLockTimeout(error)) return { held: 0, passing: false };
    const found = await this.#look(submissions);
    if (found.held > 0 || found.passing) return found;
    const table = await lockedTable(this.#sql);
    if (table !== undefined) throw new LockedTable(`a whole table is locked: ${table}`);
    return found;
  }

  async #look(submissions: readonly Submission[]): Promise<{ held: number; passing: boolean }> {
    try {
      return await this.#rows.look(this.#sql, rowsOf(submissions, this.#openStatuses));
    } catch (error) {
      if (!isLockTimeout(error)) throw error;
      const table = (await lockedTable(this.#sql)) ?? 'one that calls are decided on';
      throw new LockedTable(`a whole table is locked: ${table}`);
    }
  }

  #hasWaited(error: unknown, started: number, way: Way): boolean {
    return isLockTimeout(error) && this.#now() - started >= way.lockTimeoutMs;
  }
}

function rowOfWorker(): RowOfWorker {
  return new RowOfWorker('another worker has had a row for longer than a batch takes');
}

/** Every row that the calls and corrections of a batch may move, and the rows of its replays. */
function rowsOf(submissions: readonly Submission[], openStatuses: readonly string[]): RowIds {
  const customers = new Set<number>();
  const invoiced = new Set<number>();
  const invoices = new Set<number>();
  for (const submission of submissions) {
    if (submission.kind === 'correction') {
      for (const id of submission.moves?.customers ?? []) customers.add(id);
      for (const id of submission.moves?.invoices ?? []) invoices.add(id);
    }
    if (submission.kind !== 'call') continue;
    const { scustomer, invoice, update_balance, update_invoices } = submission.call.cdr;
    if (update_balance === 1) customers.add(scustomer);
    if (update_invoices === 1 && invoice === 0) invoiced.add(scustomer);
    if (update_invoices === 1 && invoice !== 0) invoices.add(invoice);
  }
  const deadLetters = submissions.flatMap(({ replay }) => replay?.deadLetter ?? []);
  return {
    customers: [...customers],
    invoiced: [...invoiced],
    openStatuses,
    invoices: [...invoices],
    deadLetters,
  };
}
