import { BrokerError } from '../broker/operator-publisher.ts';
import type { ReplayState } from '../domain/replay-state.ts';
import { describeFailure } from '../store/failures.ts';
import type { Run } from '../store/replays/create.ts';
import { countResults, readCodes, readUnfinished } from '../store/replays/letters.ts';
import { type ReplayRow, readReplayRow } from '../store/replays/read.ts';
import { endReplay, type ReplayCounts } from '../store/replays/run.ts';
import { retrying } from '../store/retrying.ts';
import type { Sql } from '../store/sql.ts';
import { correctionOnRecord } from './correction.ts';
import { Heartbeat } from './heartbeat.ts';
import { type ReplayContext, type ReplayProgress, sendLetters } from './replay.ts';

/**
 * Runs a replay that was prepared, started or resumed for this process, to its end, and says on its row how it went.
 * Resolves with its numbers. Rejects with BrokerError or with what the database throws; it may be resumed then.
 */
export async function runReplay(run: Run, context: ReplayContext): Promise<ReplayProgress> {
  const { sql } = context.database;
  const row = await readReplayRow(sql, run.id);
  if (row === undefined) throw new Error(`there is no replay ${run.id}`);
  const progress = await progressOf(sql, row);
  const heartbeat = new Heartbeat(sql, run, () => countsOf(row, progress));
  const end = async (state: 'done' | 'stopped' | 'failed', problem: string | null) => {
    await heartbeat.stop();
    await retrying(() => endReplay(sql, run, countsOf(row, progress), state, problem));
  };
  try {
    const letters = await readUnfinished(sql, run.id);
    const { operator, why, rate, abort_over: abortOver } = row;
    const order = { operator, why, rate, abortOver, correction: correctionOnRecord(row.correction) };
    await sendLetters({ run, order, letters, progress, halted: () => heartbeat.halt }, context);
    const [state, problem] = endOf(row, progress, context.stop);
    await end(state, problem);
    return progress;
  } catch (error) {
    const problem = error instanceof BrokerError ? error.message : describeFailure(error);
    // If not even this can be written, its silence says that it was interrupted.
    await end('failed', problem).catch(() => undefined);
    throw error;
  } finally {
    await heartbeat.stop();
  }
}

function endOf(
  { abort_over: abortOver }: ReplayRow,
  { ended }: ReplayProgress,
  stop: AbortSignal,
): [Extract<ReplayState, 'done' | 'stopped'>, string | null] {
  if (ended === null) return ['done', null];
  if (ended === 'too many failures') return ['stopped', `more than ${abortOver} % were refused again`];
  return ['stopped', typeof stop.reason === 'string' ? stop.reason : null];
}

/** Where a replay stands before this process sends anything. */
async function progressOf(sql: Sql, { id, selected }: ReplayRow): Promise<ReplayProgress> {
  const counts = await countResults(sql, id);
  const { resolved = 0, refused = 0, skipped = 0, 'taken over': takenOver = 0 } = counts;
  const byCode = resolved + refused > 0 ? await readCodes(sql, id) : {};
  const sent = resolved + refused + takenOver;
  return { selected, sent, resolved, dead: refused, takenOver, skipped, byCode, ended: null };
}

function countsOf({ tried }: ReplayRow, progress: ReplayProgress): ReplayCounts {
  const { sent, resolved, dead: refused, takenOver, skipped } = progress;
  return { tried, sent, resolved, refused, takenOver, skipped };
}
