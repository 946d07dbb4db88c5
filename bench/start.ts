import type { Measured, Sample } from './meter.ts';

/** How a program came up to its rate on a full queue. */
export interface Start {
  /** All messages, counted from the moment the program consumes: it compiles its code during the first of them. */
  whole: Measured;
  /** Seconds from the start of the process until it consumes. */
  consuming: number;
  /** Seconds from the start of the process until it works at nine tenths of its steady rate. */
  full: number;
}

/** How many messages were done by when. */
export type Progress = Pick<Sample, 'at' | 'done'>;

/** A batch more or less must not decide. */
const WINDOW_MS = 500;
const FULL_SHARE = 0.9;

/**
 * When a program first worked at nine tenths of its steady rate: the middle of the first half second in which it did, or the end
 * where it never did for so long.
 *
 * @param steady messages per second
 */
export function fullRateAt(progress: readonly Progress[], steady: number): number {
  let to = 0;
  for (const from of progress) {
    while (to < progress.length && (progress[to]?.at ?? 0) < from.at + WINDOW_MS) to += 1;
    const end = progress[to];
    if (end === undefined) break;
    const perSecond = ((end.done - from.done) / (end.at - from.at)) * 1000;
    if (perSecond >= steady * FULL_SHARE) return (from.at + end.at) / 2;
  }
  return progress.at(-1)?.at ?? Number.NaN;
}
