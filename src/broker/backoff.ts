/** Milliseconds of the shortest and the longest delay, before they are shortened. */
export interface BackoffRange {
  first: number;
  longest: number;
}

const PATIENT: BackoffRange = { first: 100, longest: 4_800 };
/** What held this long was healthy: the next failure starts again at the shortest delay. */
const STEADY_MS = 5_000;

/** Delays between attempts: doubling, each shortened at random by up to a half. */
export interface Backoff {
  /** Tells that an attempt succeeded; whether it held is judged when the next delay is asked for. */
  succeeded(): void;
  /** Milliseconds to wait before the next attempt. */
  next(): number;
}

/**
 * @param random a number in [0, 1); spreads workers that lost the same broker at the same moment.
 * @param now monotonic milliseconds, so that a stepped wall clock changes nothing.
 * @param range from 100 ms to under 5 s unless said otherwise.
 */
export function createBackoff(
  random: () => number,
  now: () => number = () => performance.now(),
  { first, longest }: BackoffRange = PATIENT,
): Backoff {
  let failures = 0;
  let upSince: number | null = null;
  return {
    succeeded() {
      upSince = now();
    },
    next() {
      // A broker that accepts and drops at once must not be hammered: only time spent up clears the count.
      if (upSince !== null && now() - upSince >= STEADY_MS) failures = 0;
      upSince = null;
      const ceiling = Math.min(first * 2 ** failures, longest);
      failures += 1;
      return Math.round(ceiling * (1 - random() / 2));
    },
  };
}
