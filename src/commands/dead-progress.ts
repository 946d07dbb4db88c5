import { SingleBar } from 'cli-progress';
import Table from 'cli-table3';
import type { Rehearsal } from '../desk/rehearsal.ts';
import type { ReplayProgress } from '../desk/replay.ts';
import { chargesOf, countsOf } from '../desk/sums.ts';

const style = { head: [], border: [] };
/** Rows that are shown one by one; `--json` has all. */
const SHOWN = 50;
/** Between two lines where there is no terminal. */
const LINE_EVERY_MS = 5000;
/** Without any result for so long, somebody should know. */
const SILENCE_MS = 20_000;

type LeftOut = readonly { id: string; why: string }[];

/** A bar with rate and time left on a terminal, plain lines on stderr otherwise. */
export function openProgress(total: number) {
  const started = performance.now();
  const isTerminal = process.stderr.isTTY === true;
  const bar = new SingleBar({
    format: '{bar} {value}/{total} | {resolved} resolved, {dead} refused | {rate}/s | {left} left',
    stream: process.stderr,
    hideCursor: true,
  });
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
      process.stderr.write(`\n${progress.sent - done} sent and not settled: is a worker running?\n`);
    } else if (!isTerminal && now - saidAt >= LINE_EVERY_MS) {
      saidAt = now;
      process.stderr.write(
        `${done} of ${total}: ${resolved} resolved, ${dead} refused, ${rate}/s, ${left} left\n`,
      );
    }
  }
  return { update, stop: () => isTerminal && bar.stop() };
}

export function printReplay(progress: ReplayProgress, leftOut: LeftOut): void {
  const { selected, resolved, dead, takenOver, byCode, leftAlone, ended } = progress;
  const write = (line: string) => process.stdout.write(`${line}\n`);
  if (selected === 0) write('nothing to replay');
  else {
    const table = new Table({ head: ['code', 'calls'], style });
    for (const [code, count] of Object.entries(byCode).sort()) table.push([code, count]);
    write(`${table}\n${selected} selected: ${resolved} resolved, ${dead} dead again`);
  }
  if (takenOver > 0) write(`${takenOver} taken over by another replay`);
  if (ended !== null) write(`ended early (${ended}): the same command goes on with the rest`);
  printLeft([...leftAlone, ...leftOut]);
}

export function printRehearsal({ rows, leftAlone }: Rehearsal, leftOut: LeftOut): void {
  const write = (line: string) => process.stdout.write(`${line}\n`);
  const each = new Table({
    head: ['id', 'uniqueid', 'would become', 'answer', 'charged'],
    style,
    wordWrap: true,
  });
  for (const { id, uniqueid, becomes, code, responses, charged, currency } of rows.slice(0, SHOWN)) {
    const problems = responses
      .filter(({ key }) => key !== '')
      .map(({ key, message }) => `${key}: ${message}`);
    const money = charged === null ? '' : `${charged} ${currency}`;
    each.push([id, uniqueid ?? '', becomes, [code, ...problems].join('\n'), money]);
  }
  write(`${each}`);
  if (rows.length > SHOWN) write(`and ${rows.length - SHOWN} more: --json has all`);
  const counts = new Table({ head: ['would become', 'calls'], style });
  for (const { becomes, count } of countsOf(rows)) counts.push([becomes, count]);
  const charges = new Table({ head: ['customer', 'calls', 'would be charged'], style });
  for (const { customer, currency, calls, charged } of chargesOf(rows))
    charges.push([customer, calls, `${charged} ${currency}`]);
  write(`${counts}\n${charges}\nNothing was changed.`);
  printLeft([...leftAlone, ...leftOut]);
}

function printLeft(left: LeftOut): void {
  for (const { id, why } of left.slice(0, SHOWN)) process.stdout.write(`left alone: ${id}, ${why}\n`);
  if (left.length > SHOWN) process.stdout.write(`and ${left.length - SHOWN} more left alone\n`);
}
