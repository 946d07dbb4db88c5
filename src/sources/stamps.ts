import type { Instant } from './times.ts';

/** A call's times, chosen among the readings that they have. */
export interface ResolvedPair {
  start: bigint;
  end: bigint;
  /** Several readings fitted equally well; the first was taken. */
  isGuess: boolean;
}

/**
 * Which reading of a local time is meant in the hour that occurs twice. Of all ways to read both times with the end
 * not before the start, the one that comes nearest to the duration; without one, the shortest call. Where two are
 * equal, as when the whole call lies within that hour, the first, and `isGuess` says so.
 *
 * All in nanoseconds.
 */
export function resolvePair(start: Instant, end: Instant, duration: bigint | null): ResolvedPair {
  if (start.later === null && end.later === null) return { start: start.at, end: end.at, isGuess: false };
  let best: (ResolvedPair & { distance: bigint }) | undefined;
  for (const from of readings(start)) {
    for (const to of readings(end)) {
      if (to < from) continue;
      const distance = magnitude(to - from - (duration ?? 0n));
      if (best === undefined || distance < best.distance)
        best = { start: from, end: to, isGuess: false, distance };
      else if (distance === best.distance) best.isGuess = true;
    }
  }
  return best ?? { start: start.at, end: end.at, isGuess: true };
}

function readings({ at, later }: Instant): bigint[] {
  return later === null ? [at] : [at, later];
}

function magnitude(value: bigint): bigint {
  return value < 0n ? -value : value;
}
