/** Numbers that follow on each other; `last` is one of them. */
export interface Numbers {
  first: bigint;
  last: bigint;
}

/** Numbers of a feed's own counter that were heard without a gap. */
export interface Run extends Numbers {
  /** Another one after each restart of the counter. */
  epoch: number;
  /** When the first of its numbers was heard: milliseconds since 1970. */
  since: number;
}

/** Numbers that nobody has heard, between two runs of one epoch. */
export interface Gap extends Numbers {
  /** Milliseconds since 1970. */
  noticedAt: number;
}

/**
 * What the outcome of a record says about its number: `new`, its call was stored now; `again`, its call was stored
 * before; `unknown`, nothing, as of a record that was refused or left out.
 */
export type Novelty = 'new' | 'unknown' | 'again';

export interface HeardNumbers extends Numbers {
  novelty: Novelty;
}

/** By epoch, then by number. */
export function inOrder(runs: readonly Run[]): Run[] {
  return [...runs].sort((a, b) => a.epoch - b.epoch || ascending(a.first, b.first));
}

export function ascending(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** How many numbers runs or gaps have. */
export function countOf(ranges: readonly Numbers[]): bigint {
  return ranges.reduce((sum, { first, last }) => sum + last - first + 1n, 0n);
}

/**
 * The gaps that were noticed at least `openMs` ago, by epoch and number.
 *
 * @param runs in order
 */
export function gapsIn(runs: readonly Run[], now: number, openMs: number): Gap[] {
  const gaps: Gap[] = [];
  let noticedAt = Number.POSITIVE_INFINITY;
  // From the end: what is missing has been missing since any later number of its epoch was heard.
  for (let index = runs.length - 1; index > 0; index -= 1) {
    const [before, run] = [runs[index - 1], runs[index]];
    if (before === undefined || run === undefined) continue;
    noticedAt = Math.min(noticedAt, run.since);
    if (before.epoch !== run.epoch) noticedAt = Number.POSITIVE_INFINITY;
    else if (now - noticedAt >= openMs)
      gaps.push({ first: before.last + 1n, last: run.first - 1n, noticedAt });
  }
  return gaps.reverse();
}
