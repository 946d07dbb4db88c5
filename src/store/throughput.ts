import { type Sql, statement } from './sql.ts';

/** A minute or an hour. */
export interface Bucket {
  at: Date;
  /** Calls stored in it; null while they are not counted yet. */
  stored: number | null;
  /** Dead letters whose last death was in it. */
  died: number;
}

export const MINUTES = 60;
export const HOURS = 24;
const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;
/** A call is stored at the time at which its transaction began; by then it has been committed. */
const SETTLED_MS = 2 * MINUTE_MS;
/** Hours of a busy system take seconds each to count. */
const BUDGET_MS = 2_000;

/** By the block range index on received_at. The epoch has no time zone: minutes and hours are those of UTC. */
const STORED = statement(
  'throughput.stored',
  `
  select extract(epoch from date_trunc('minute', received_at, 'UTC'))::float8 * 1000 as at, count(*)::float8 as count
  from cdrs where received_at >= $1::timestamptz and received_at < $2::timestamptz group by 1`,
);

const DIED = statement(
  'throughput.died',
  `
  select extract(epoch from date_trunc($1, last_dead_at, 'UTC'))::float8 * 1000 as at, count(*)::float8 as count
  from dead_letters where last_dead_at >= $2::timestamptz group by 1`,
);

const NOW = statement('throughput.now', 'select extract(epoch from now())::float8 * 1000 as now');

interface Counted {
  at: number;
  count: number;
}

/**
 * Counts calls and dead letters by minute and by hour. What can no longer change is counted once and remembered, so that a page
 * that is renewed every few seconds does not count an hour of calls each time.
 */
export class Throughput {
  readonly #sql: Sql;
  readonly #minutes = new Map<number, number>();
  readonly #hours = new Map<number, number>();

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  /** The last hour, the current minute included. Throws what the database throws. */
  async minutes(): Promise<Bucket[]> {
    const now = await this.#now();
    const first = startOf(now, MINUTE_MS) - (MINUTES - 1) * MINUTE_MS;
    await this.#countMinutes(first, now);
    return this.#buckets('minute', starts(first, MINUTES, MINUTE_MS), this.#minutes);
  }

  /**
   * The last day, the current hour included. Counting stops after some seconds and goes on the next time, from the latest hours
   * to the oldest. Throws what the database throws.
   */
  async hours(): Promise<Bucket[]> {
    const now = await this.#now();
    const current = startOf(now, HOUR_MS);
    const all = starts(current - (HOURS - 1) * HOUR_MS, HOURS, HOUR_MS);
    await this.#countMinutes(current, now);
    this.#hours.set(current, sumFrom(this.#minutes, current));
    const giveUpAt = performance.now() + BUDGET_MS;
    for (const at of all.slice(0, -1).reverse()) {
      if (performance.now() > giveUpAt) break;
      const isSettled = at + HOUR_MS + SETTLED_MS <= now;
      if (!isSettled || !this.#hours.has(at)) this.#hours.set(at, await this.#countHour(at));
    }
    forgetBefore(this.#hours, all[0]);
    const buckets = await this.#buckets('hour', all, this.#hours);
    // It was only counted as far as now.
    this.#hours.delete(current);
    return buckets;
  }

  async #now(): Promise<number> {
    const [row] = await this.#sql<{ now: number }>(NOW, []);
    if (row === undefined) throw new Error('the database gave no row');
    return row.now;
  }

  /** Counts the minutes since `first` that are not known, or may still change. */
  async #countMinutes(first: number, now: number): Promise<void> {
    forgetBefore(this.#minutes, first);
    const settled = startOf(now - SETTLED_MS, MINUTE_MS);
    const all = starts(first, Math.floor((now - first) / MINUTE_MS) + 1, MINUTE_MS);
    const from = all.find((at) => at >= settled || !this.#minutes.has(at)) ?? first;
    const rows = await this.#stored(from, now + HOUR_MS);
    const counts = new Map(rows.map(({ at, count }) => [at, count]));
    for (const at of all) if (at >= from) this.#minutes.set(at, counts.get(at) ?? 0);
  }

  async #countHour(at: number): Promise<number> {
    const rows = await this.#stored(at, at + HOUR_MS);
    return rows.reduce((sum, { count }) => sum + count, 0);
  }

  async #stored(from: number, until: number): Promise<Counted[]> {
    return await this.#sql<Counted>(STORED, [new Date(from), new Date(until)]);
  }

  async #buckets(
    unit: 'minute' | 'hour',
    all: readonly number[],
    stored: ReadonlyMap<number, number>,
  ): Promise<Bucket[]> {
    const rows = await this.#sql<Counted>(DIED, [unit, new Date(all[0] ?? 0)]);
    const died = new Map(rows.map(({ at, count }) => [at, count]));
    return all.map((at) => ({
      at: new Date(at),
      stored: stored.get(at) ?? null,
      died: died.get(at) ?? 0,
    }));
  }
}

const startOf = (time: number, unitMs: number) => Math.floor(time / unitMs) * unitMs;

const starts = (first: number, count: number, unitMs: number) =>
  Array.from({ length: count }, (_, index) => first + index * unitMs);

function sumFrom(counts: ReadonlyMap<number, number>, first: number): number {
  let sum = 0;
  for (const [at, count] of counts) if (at >= first) sum += count;
  return sum;
}

function forgetBefore(counts: Map<number, number>, first = 0): void {
  for (const at of counts.keys()) if (at < first) counts.delete(at);
}
