import type { PersistResult } from '../../domain/held.ts';
import type { Submission } from '../../domain/submission.ts';

/**
 * Persists the corrections of a batch one after the other. One that is held keeps back those of its call that came later. One
 * that comes behind another of its call, which was booked just now, is refused: what it was meant to follow cannot be
 * known.
 */
export async function inTurn<Kind extends Submission>(
  submissions: readonly Kind[],
  persist: (submission: Kind) => Promise<PersistResult>,
): Promise<PersistResult[]> {
  /** By uniqueid. */
  const before = new Map<string, { id: string; result: PersistResult }>();
  const results: PersistResult[] = [];
  for (const submission of submissions) {
    if (submission.kind !== 'correction') {
      results.push(await persist(submission));
      continue;
    }
    const { uniqueid, id } = submission.correction;
    const other = before.get(uniqueid);
    if (other?.result.kind === 'held') {
      results.push(other.result);
      continue;
    }
    if (other?.result.kind === 'booked' && other.id !== id) submission.isBehind = true;
    const result = await persist(submission);
    if (result.kind === 'held' || result.kind === 'booked') before.set(uniqueid, { id, result });
    results.push(result);
  }
  return results;
}
