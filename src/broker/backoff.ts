import { type BackoffRange, backoffMs } from '../retry.ts';

/** Pauses between attempts to connect or to subscribe. */
export interface Backoff {
  /** An attempt succeeded. Whether it lasted shows when the next pause is asked for. */
  succeeded(): void;
  /** Milliseconds to wait before the next attempt. */
  next(): number;
}

const RANGE: BackoffRange = { first: 100, longest: 4_800 };
/** A connection that lasted this long was healthy: the next pause is the shortest again. */
const STEADY_MS = 5_000;

/**
 * Counts failures for `backoffMs`. A success does not reset the count, as it would in `retry`: a broker that
 * accepts and closes at once must not be hammered. Only a connection that lasted 5 s does.
 *
 * @param now monotonic milliseconds
 * @param range from 100 ms to under 5 s by default
 */
export function createBackoff(
  random: () => number,
  now: () => number = () => performance.now(),
  range: BackoffRange = RANGE,
): Backoff {
  let failures = 0;
  let upSince: number | null = null;
  return {
    succeeded() {
      upSince = now();
    },
    next() {
      if (upSince !== null && now() - upSince >= STEADY_MS) failures = 0;
      upSince = null;
      const pauseMs = Math.round(backoffMs(failures, range, random));
      failures += 1;
      return pauseMs;
    },
  };
}
