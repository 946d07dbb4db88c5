import { countOf, type HeardNumbers, inOrder, type Novelty, type Numbers, type Run } from './sequence.ts';

/** The runs of each epoch in the order of their numbers, the newest epoch last. */
export type Epochs = Run[][];

/** Records overtake each other on their way through several workers: this much is no restart. */
const NEAR = 100n;
/** A counter that jumps further has been set anew: no switch loses so many records at once. */
const JUMP = 1_000_000n;
/** An epoch of fewer numbers may be made of records that were refused, mended and sent again. */
const FEW = 10n;
/** Until then the first numbers of an epoch may have been overtaken by others. */
const BEGINNING_MS = 60_000;
/** Records of an epoch that is over arrive no later than this. */
const LATE_MS = 600_000;

export function epochsOf(runs: readonly Run[]): Epochs {
  const epochs = new Map<number, Run[]>();
  for (const run of inOrder(runs)) {
    const own = epochs.get(run.epoch);
    if (own === undefined) epochs.set(run.epoch, [run]);
    else own.push(run);
  }
  return [...epochs.values()];
}

/**
 * Adds numbers to the runs of one feed, in place.
 *
 * A counter that restarts begins a new epoch. That is told by a number that was heard before although its record is new, by
 * a 0 or 1, and by a number far from all others of its epoch. Otherwise a number belongs to the newest epoch, unless
 * that is far away and it closes a gap of an older one or follows on it.
 *
 *   1–4, 7–9 and 5–6 give 1–9
 *   1–9 and 1 of a new record give 1–9, and 1 in an epoch of its own
 */
export function addNumbers(epochs: Epochs, { first, last, novelty }: HeardNumbers, now: number): void {
  for (let start = first; start <= last; ) {
    const end = endOfPart(epochs, start, last);
    addPart(epochs, { first: start, last: end }, novelty, now);
    start = end + 1n;
  }
}

/** The end of the numbers from `start` on that are in the same runs as it. */
function endOfPart(epochs: Epochs, start: bigint, last: bigint): bigint {
  let end = last;
  for (const runs of epochs) {
    const at = placeOf(runs, start);
    const [before, after] = [runs[at - 1], runs[at]];
    if (before !== undefined && before.last >= start && before.last < end) end = before.last;
    if (after !== undefined && after.first <= end) end = after.first - 1n;
  }
  return end;
}

function addPart(epochs: Epochs, part: Numbers, novelty: Novelty, now: number): void {
  const newest = epochs.at(-1);
  if (newest === undefined) {
    if (novelty !== 'again') epochs.push([{ ...part, epoch: 1, since: now }]);
    return;
  }
  if (novelty !== 'new' && epochs.some((runs) => has(runs, part))) return;
  const isHeard = has(newest, part);
  const older = epochs.findLastIndex((runs) => runs !== newest && isMissingIn(runs, part));
  const runs = epochs[older];
  if (runs !== undefined && (isHeard || isFar(newest, part))) {
    if (isAfter(runs, part) && isMistaken(epochs[older + 1] ?? [], now)) epochs.splice(older + 1);
    insert(runs, part, now);
  } else if (!isHeard && !isRestart(newest, part, now)) insert(newest, part, now);
  else if (novelty !== 'again') epochs.push([{ ...part, epoch: epochOf(newest) + 1, since: now }]);
}

/** Where a run that begins with `first` stands among others: behind those that begin there or before. */
function placeOf(runs: readonly Run[], first: bigint): number {
  let [low, high] = [0, runs.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    const run = runs[middle];
    if (run !== undefined && run.first <= first) low = middle + 1;
    else high = middle;
  }
  return low;
}

function has(runs: readonly Run[], part: Numbers): boolean {
  const before = runs[placeOf(runs, part.first) - 1];
  return before !== undefined && part.last <= before.last;
}

/** Whether an epoch lacks just these numbers: they are in a gap of it, or follow on it. */
function isMissingIn(runs: readonly Run[], part: Numbers): boolean {
  const at = placeOf(runs, part.first);
  if (at === 0 || has(runs, part)) return false;
  return at < runs.length || isAfter(runs, part);
}

function isAfter(runs: readonly Run[], part: Numbers): boolean {
  return runs.at(-1)?.last === part.first - 1n;
}

function isFar(runs: readonly Run[], part: Numbers): boolean {
  const at = placeOf(runs, part.first);
  const [before, after] = [runs[at - 1], runs[at]];
  const near = countOf(runs) < FEW ? 1n : NEAR;
  return (
    (before === undefined || part.first - before.last > near) &&
    (after === undefined || after.first - part.last > near)
  );
}

function isRestart(runs: readonly Run[], part: Numbers, now: number): boolean {
  const [lowest, highest] = [runs[0], runs.at(-1)];
  if (lowest === undefined || highest === undefined) return false;
  const below = lowest.first - part.last;
  if (below > NEAR || part.first - highest.last > JUMP) return true;
  return below > 1n && part.first <= 1n && ageOf(runs, now) > BEGINNING_MS;
}

/** The epoch before goes on, so this one was none, but records that were sent again: it is small, or the other not over. */
function isMistaken(runs: readonly Run[], now: number): boolean {
  return countOf(runs) < FEW || ageOf(runs, now) > LATE_MS;
}

function ageOf(runs: readonly Run[], now: number): number {
  return now - Math.min(...runs.map(({ since }) => since));
}

function epochOf(runs: readonly Run[]): number {
  return runs[0]?.epoch ?? 0;
}

/** Adds numbers that none of the runs has; runs that touch become one. */
function insert(runs: Run[], part: Numbers, now: number): void {
  const at = placeOf(runs, part.first);
  const [before, after] = [runs[at - 1], runs[at]];
  const added: Run = { ...part, epoch: epochOf(runs), since: now };
  const left = before !== undefined && before.last + 1n === part.first ? before : undefined;
  const right = after !== undefined && after.first - 1n === part.last ? after : undefined;
  const one: Run = {
    epoch: added.epoch,
    first: left?.first ?? added.first,
    last: right?.last ?? added.last,
    since: Math.min(added.since, left?.since ?? added.since, right?.since ?? added.since),
  };
  runs.splice(left ? at - 1 : at, (left ? 1 : 0) + (right ? 1 : 0), one);
}
