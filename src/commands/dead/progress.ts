import type { Skipped } from '../../dead-letters/corrections.ts';
import { chargesOf, countsOf, type DryRun } from '../../dead-letters/dry-run.ts';
import type { ReplayProgress } from '../../dead-letters/replay.ts';
import { complain, isWatched, printLine, printTable, progressBar } from '../print.ts';

/** Rows that are shown one by one; `--json` has all. */
const SHOWN = 50;
/** Between two lines where there is no terminal. */
const LINE_EVERY_MS = 5000;
/** Without any result for so long, somebody should know. */
const SILENCE_MS = 20_000;

type LeftOut = readonly Skipped[];

/** A bar with rate and time left on a terminal, plain lines on stderr otherwise. */
export function openProgress(total: number) {
  const started = performance.now();
  const isTerminal = isWatched();
  const bar = progressBar(
    '{bar} {value}/{total} | {resolved} resolved, {dead} refused | {rate}/s | {left} left',
  );
  let saidAt = started;
  let doneAt = started;
  let lastDone = 0;
  if (isTerminal) bar.start(total, 0, { resolved: 0, dead: 0, rate: 0, left: '?' });

  function update(progress: ReplayProgress): void {
    const { resolved, dead, takenOver, leftAlone } = progress;
    const now = performance.now();
    const done = resolved + dead + takenOver + leftAlone.length;
    const rate = Math.round(done / ((now - started) / 1000));
    const left = rate === 0 ? '?' : `${Math.ceil((total - done) / rate)} s`;
    if (done > lastDone) doneAt = now;
    lastDone = done;
    if (isTerminal) bar.update(done, { resolved, dead, rate, left });
    if (now - doneAt > SILENCE_MS) {
      doneAt = now;
      complain('');
      complain(`${progress.sent - done} sent and not settled: is a worker running?`);
    } else if (!isTerminal && now - saidAt >= LINE_EVERY_MS) {
      saidAt = now;
      complain(`${done} of ${total}: ${resolved} resolved, ${dead} refused, ${rate}/s, ${left} left`);
    }
  }
  return { update, stop: () => isTerminal && bar.stop() };
}

export function printReplay(progress: ReplayProgress, leftOut: LeftOut): void {
  const { selected, resolved, dead, takenOver, byCode, leftAlone, ended } = progress;
  if (selected === 0) printLine('nothing to replay');
  else {
    printTable(['code', 'calls'], Object.entries(byCode).sort());
    printLine(`${selected} selected: ${resolved} resolved, ${dead} dead again`);
  }
  if (takenOver > 0) printLine(`${takenOver} taken over by another replay`);
  if (ended !== null) printLine(`ended early (${ended}): the same command goes on with the rest`);
  printLeft([...leftAlone, ...leftOut]);
}

export function printDryRun({ rows, leftAlone }: DryRun, leftOut: LeftOut): void {
  const each = rows.slice(0, SHOWN).map(({ id, uniqueid, becomes, code, responses, charged, currency }) => {
    const problems = responses
      .filter(({ key }) => key !== '')
      .map(({ key, message }) => `${key}: ${message}`);
    const money = charged === null ? '' : `${charged} ${currency}`;
    return [id, uniqueid ?? '', becomes, [code, ...problems], money];
  });
  printTable(['id', 'uniqueid', 'would become', 'answer', 'charged'], each, { wordWrap: true });
  if (rows.length > SHOWN) printLine(`and ${rows.length - SHOWN} more: --json has all`);
  printTable(
    ['would become', 'calls'],
    countsOf(rows).map(({ becomes, count }) => [becomes, count]),
  );
  printTable(
    ['customer', 'calls', 'would be charged'],
    chargesOf(rows).map(({ customer, currency, calls, charged }) => [
      customer,
      calls,
      `${charged} ${currency}`,
    ]),
  );
  printLine('Nothing was changed.');
  printLeft([...leftAlone, ...leftOut]);
}

function printLeft(left: LeftOut): void {
  for (const { id, why } of left.slice(0, SHOWN)) printLine(`left alone: ${id}, ${why}`);
  if (left.length > SHOWN) printLine(`and ${left.length - SHOWN} more left alone`);
}
