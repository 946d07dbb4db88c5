/** Rows that one statement marks. */
const CHUNK = 500;
/** Replays in flight: enough to fill the batches of the workers. */
const WINDOW = 6000;
/** With `abortOver`: replays sent before so many results are known, and then sent per known result. */
const SLOW_START = 20;
const SLOW_FACTOR = 2;

/** Limits that an operator sets; null for none. */
export interface Limits {
  /** Calls per second. */
  rate: number | null;
  /** The percentage of the finished replays that may be refused again. */
  abortOver: number | null;
}

/** Where a replay stands, in rows. */
export interface Counts {
  preparing: number;
  sent: number;
  inFlight: number;
  resolved: number;
  /** Refused again. */
  dead: number;
}

/** How many rows a replay may take now: within its rate, and with `abortOver` only a few ahead of the known results. */
export function capacity({ rate, abortOver }: Limits, counts: Counts, elapsedMs: number): number {
  const { preparing, sent, inFlight, resolved, dead } = counts;
  const taken = sent + preparing;
  const limits = [CHUNK, WINDOW - inFlight - preparing];
  if (rate !== null) limits.push(1 + (elapsedMs / 1000) * rate - taken);
  if (abortOver !== null) {
    const finished = resolved + dead;
    limits.push(SLOW_START + (finished < SLOW_START ? 0 : SLOW_FACTOR * finished) - taken);
  }
  return Math.max(0, Math.floor(Math.min(...limits)));
}

/** Whether more of the finished replays were refused again than the limit allows. */
export function hasTooManyFailures(
  { abortOver }: Limits,
  { resolved, dead }: Pick<Counts, 'resolved' | 'dead'>,
): boolean {
  const finished = resolved + dead;
  return abortOver !== null && finished >= SLOW_START && dead * 100 > abortOver * finished;
}
