import type { ReplayProgress } from '../../dead-letters/replay.ts';
import { complain, isWatched, progressBar } from '../print.ts';

/** Interval between progress lines without a terminal. */
const LINE_EVERY_MS = 5000;
/** After this long without any result, the operator is told. */
const SILENCE_MS = 20_000;

/**
 * Shows the progress of a replay on stderr: a bar with rate and time left on a terminal, plain lines otherwise. The rate is
 * that of this process.
 */
export function openProgress(total: number, id: string) {
  const started = performance.now();
  const isTerminal = isWatched();
  const bar = progressBar(
    '{bar} {value}/{total} | {resolved} resolved, {dead} refused | {rate}/s | {left} left',
  );
  let saidAt = started;
  let doneAt = started;
  let lastDone = 0;
  let before: number | undefined;
  complain(`replay ${id} of ${total}; to stop it from anywhere: cdr-ingest dead stop ${id}`);
  if (isTerminal) bar.start(total, 0, { resolved: 0, dead: 0, rate: 0, left: '?' });

  function update(progress: ReplayProgress): void {
    const { resolved, dead, takenOver, skipped } = progress;
    const now = performance.now();
    const done = resolved + dead + takenOver + skipped;
    before ??= done;
    const rate = Math.round((done - before) / ((now - started) / 1000));
    const left = rate === 0 ? '?' : `${Math.ceil((total - done) / rate)} s`;
    if (done > lastDone) doneAt = now;
    lastDone = done;
    if (isTerminal) bar.update(done, { resolved, dead, rate, left });
    if (now - doneAt > SILENCE_MS) {
      doneAt = now;
      complain('');
      complain(`${progress.sent - done} sent without a result yet: is a worker running?`);
    } else if (!isTerminal && now - saidAt >= LINE_EVERY_MS) {
      saidAt = now;
      complain(`${done} of ${total}: ${resolved} resolved, ${dead} refused, ${rate}/s, ${left} left`);
    }
  }
  return { update, stop: () => isTerminal && bar.stop() };
}
