import {
  customerRow,
  deadLetterRow,
  type Held,
  type HeldBy,
  invoiceRow,
  nothingHeld,
} from '../../domain/held.ts';
import type { Sql } from '../sql.ts';
import { type LockedRow, lockedRows, type RowIds } from './row-locks.ts';
import { describeSession } from './table-locks.ts';

interface HeldRow extends Held {
  row: string;
  /** Null where the database refuses the row: only a call that tries it finds out when that is over. */
  lock: Pick<LockedRow, 'of' | 'id'> | null;
}

/** Locked rows are probed again after so many milliseconds. */
const PROBE_MS = 200;

/** A session that calls itself a worker is believed for so long after it was first seen with a row. */
const BELIEVED_MS = 2000;
/** What was seen longer ago is forgotten. */
const SEEN_MS = 60_000;

/**
 * The rows that a worker must not touch at the moment: somebody who is not a worker has locked them, or the database refuses to
 * change them. Their calls are left out of batches until the row is found free or one of the calls gets through.
 *
 * @param now milliseconds on a clock that never goes back
 */
export class HeldRows {
  readonly #rows = new Map<string, HeldRow>();
  readonly #now: () => number;
  /** The transactions of workers, by the rows that they were seen with. */
  readonly #seen = new Map<string, { transaction: string; since: number; last: number }>();
  #probedAt = Number.NEGATIVE_INFINITY;

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** Costs nothing while nothing is held. */
  get isHeld(): HeldBy {
    return this.#rows.size === 0 ? nothingHeld : (row) => this.#rows.get(row);
  }

  /** Whether the database refuses the row, so that only one of its calls can find out that it is free. */
  isRefused(row: string): boolean {
    return this.#rows.get(row)?.lock === null;
  }

  refuse(row: string, why: string): Held {
    const held: HeldRow = { kind: 'held', cause: 'message', row, why, lock: null };
    this.#rows.set(row, held);
    return held;
  }

  free(row: string): void {
    this.#rows.delete(row);
  }

  /**
   * Asks who has locked the rows that a statement waited for in vain. Those that no worker has for a moment are held from
   * now on. Throws what the database throws.
   *
   * @returns how many rows are held that were not before, and whether workers have any for a moment
   */
  async look(sql: Sql, rows: RowIds): Promise<{ held: number; passing: boolean }> {
    let locked = await lockedRows(sql, rows);
    // Somebody else would be blamed for a row that a worker gave back at the wrong moment.
    if (locked.some(({ isGuess }) => isGuess)) locked = await lockedRows(sql, rows);
    const lasting = this.#lastingAmong(locked);
    const others = lasting.filter((row) => !this.#rows.has(nameOf(row)));
    for (const row of others) this.#rows.set(nameOf(row), heldRow(row));
    return { held: others.length, passing: lasting.length < locked.length };
  }

  /** Frees the locked rows that are no longer locked; asks at most every 200 ms. Throws what the database throws. */
  async probe(sql: Sql): Promise<void> {
    const before = [...this.#rows.values()].flatMap(({ row, lock }) =>
      lock === null ? [] : [{ row, lock }],
    );
    if (before.length === 0 || this.#now() - this.#probedAt < PROBE_MS) return;
    this.#probedAt = this.#now();
    const idsOf = (of: LockedRow['of']) => before.flatMap(({ lock }) => (lock.of === of ? [lock.id] : []));
    const locked = await lockedRows(sql, {
      customers: idsOf('customer').map(Number),
      invoiced: [],
      openStatuses: [],
      invoices: idsOf('invoice').map(Number),
      deadLetters: idsOf('dead letter'),
    });
    const still = new Set(this.#lastingAmong(locked).map(nameOf));
    for (const { row } of before) if (!still.has(row)) this.#rows.delete(row);
  }

  /** The locked rows that no worker has for the moment of a batch. */
  #lastingAmong(locked: readonly LockedRow[]): LockedRow[] {
    const now = this.#now();
    for (const [row, { last }] of this.#seen) if (now - last > SEEN_MS) this.#seen.delete(row);
    return locked.filter((row) => !this.#isPassing(row, now));
  }

  /**
   * Whether a worker has the row for the moment of a batch. The age of its transaction does not tell: most of it may have
   * been spent in the queue for this very row. A worker that waits for another row goes on when that one is free.
   */
  #isPassing(row: LockedRow, now: number): boolean {
    const { isOfWorker, transaction, isWaiting, idleMs } = row;
    if (!isOfWorker || transaction === null) return isOfWorker;
    const before = this.#seen.get(nameOf(row));
    const first = before?.transaction === transaction && !isWaiting ? before.since : now;
    const since = Math.min(first, now - idleMs);
    this.#seen.set(nameOf(row), { transaction, since, last: now });
    return now - since < BELIEVED_MS;
  }
}

function nameOf({ of, id }: LockedRow): string {
  if (of === 'dead letter') return deadLetterRow(id);
  return of === 'customer' ? customerRow(Number(id)) : invoiceRow(Number(id));
}

function heldRow(locked: LockedRow): HeldRow {
  const { of, id } = locked;
  const why = `locked by ${describeSession(locked)}`;
  return { kind: 'held', cause: 'lock', row: nameOf(locked), why, lock: { of, id } };
}
