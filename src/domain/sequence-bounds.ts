import { countOf, type Gap, gapsIn, type HeardNumbers, type Run } from './sequence.ts';
import { addNumbers, type Epochs, epochsOf } from './sequence-epochs.ts';

/** Numbers that are missing for this long are not on their way through another worker. */
export const GAP_OPEN_MS = 60_000;
/** A gap that nothing has closed by then is no longer shown. */
export const GAP_KEPT_MS = 7 * 86_400_000;
/** Gaps of one feed that are kept; of more the oldest are forgotten. */
export const GAPS_MAX = 200;
/** Workers of a fast feed hear numbers in turns, so that for a moment every run has one number. */
const RUNS_MAX = 10_000;
const EPOCHS_MAX = 100;
/** A counter of records has more numbers to each gap. */
const NUMBERS_PER_GAP = 3n;

/**
 * The runs of a feed with more numbers. Undefined where these cannot be a count of its records: hardly two of them follow on
 * each other, or they begin anew again and again.
 */
export function countNumbers(
  runs: readonly Run[],
  heard: readonly HeardNumbers[],
  now: number,
): Run[] | undefined {
  const epochs = epochsOf(runs);
  for (const numbers of heard) {
    addNumbers(epochs, numbers, now);
    if (epochs.length > EPOCHS_MAX) return undefined;
  }
  const kept = withoutOldEpochs(withoutGaps(epochs.flat(), now, GAP_KEPT_MS), now);
  const open = gapsIn(kept, now, GAP_OPEN_MS);
  const isCount = countOf(kept) >= NUMBERS_PER_GAP * BigInt(open.length);
  if (kept.length > RUNS_MAX || (open.length > GAPS_MAX && !isCount)) return undefined;
  return open.length > GAPS_MAX ? withoutGaps(kept, now, ageOfTooMany(open, now)) : kept;
}

function ageOfTooMany(gaps: readonly Gap[], now: number): number {
  const ages = gaps.map(({ noticedAt }) => now - noticedAt).sort((a, b) => a - b);
  return ages[GAPS_MAX] ?? Number.POSITIVE_INFINITY;
}

/** The runs around each gap that was noticed at least so long ago become one. */
function withoutGaps(runs: readonly Run[], now: number, ageMs: number): Run[] {
  const ended = new Set(gapsIn(runs, now, ageMs).map(({ first }) => first));
  const kept: Run[] = [];
  for (const run of runs) {
    const before = kept.at(-1);
    if (before?.epoch === run.epoch && ended.has(before.last + 1n))
      kept.splice(-1, 1, { ...before, last: run.last, since: Math.min(before.since, run.since) });
    else kept.push(run);
  }
  return kept;
}

/** An epoch that ended long ago and has no gap tells nothing. */
function withoutOldEpochs(runs: readonly Run[], now: number): Run[] {
  const epochs: Epochs = epochsOf(runs);
  return epochs.flatMap((own, index) => {
    const next = epochs[index + 1]?.map(({ since }) => since);
    const isOver = next !== undefined && now - Math.min(...next) >= GAP_KEPT_MS;
    return isOver && own.length === 1 ? [] : own;
  });
}
