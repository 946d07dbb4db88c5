import type { Skipped } from '../../dead-letters/corrections.ts';
import { chargesOf, countsOf, type DryRun } from '../../dead-letters/dry-run.ts';
import type { ReplayProgress } from '../../dead-letters/replay.ts';
import { printLine, printTable } from '../print.ts';

/** Rows that are printed one by one; `--json` has all. */
const SHOWN = 50;

export function printReplay(progress: ReplayProgress, excluded: readonly Skipped[]): void {
  const { selected, resolved, dead, takenOver, byCode, skipped, ended } = progress;
  if (selected === 0) printLine('nothing to replay');
  else {
    printTable(['code', 'calls'], Object.entries(byCode).sort());
    printLine(`${selected} selected: ${resolved} resolved, ${dead} refused`);
  }
  if (takenOver > 0) printLine(`${takenOver} taken over by another replay`);
  if (ended !== null) printLine(`stopped early (${ended}); rerun the command to continue`);
  printSkipped([...skipped, ...excluded]);
}

export function printDryRun({ rows, skipped }: DryRun, excluded: readonly Skipped[]): void {
  const each = rows.slice(0, SHOWN).map(({ id, uniqueid, becomes, code, responses, charged, currency }) => {
    const problems = responses
      .filter(({ code: each }) => !each.startsWith('2'))
      .map(({ key, message }) => (key === '' ? message : `${key}: ${message}`));
    const money = charged === null ? '' : `${charged} ${currency}`;
    return [id, uniqueid ?? '', becomes, [code, ...problems], money];
  });
  printTable(['id', 'uniqueid', 'would become', 'reply', 'charged'], each);
  if (rows.length > SHOWN) printLine(`and ${rows.length - SHOWN} more (use --json to see all)`);
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
  printLine('Dry run: nothing was changed.');
  printSkipped([...skipped, ...excluded]);
}

function printSkipped(skipped: readonly Skipped[]): void {
  for (const { id, why } of skipped.slice(0, SHOWN)) printLine(`skipped ${id}: ${why}`);
  if (skipped.length > SHOWN) printLine(`and ${skipped.length - SHOWN} more skipped`);
}
