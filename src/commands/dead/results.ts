import type { Skipped } from '../../dead-letters/corrections.ts';
import type { ReplayProgress } from '../../dead-letters/replay.ts';
import type { Excluded } from '../../dead-letters/selection.ts';
import { jsonText } from '../../domain/printable.ts';
import { counted } from '../../plural.ts';
import { type LettersOnly, type ReplayLetter, readReplayLetters } from '../../store/replays/letters.ts';
import { type DryRunSums, readDryRunSums } from '../../store/replays/sums.ts';
import type { Sql } from '../../store/sql.ts';
import { printJson, printLine, printTable, writeData } from '../print.ts';
import { customerOf } from './consequences.ts';

/** Rows that are printed one by one; `--json` has all. */
const SHOWN = 50;
const PAGE = 500;

/** How the result is printed. */
export interface Printed {
  /** Dead letters that were named by id but are excluded. */
  leftOut: readonly Skipped[];
  isJson: boolean;
}

/** Says why a dead letter is excluded, and with which options it would be included. */
export function withOptions({ id, why, needs }: Excluded): Skipped {
  const options = [
    ...(needs?.reason === undefined ? [] : [`--reason ${needs.reason}`]),
    ...(needs?.unverified ? ['--unverified'] : []),
  ];
  return { id, why: options.length === 0 ? why : `${why}; add ${options.join(' ')}` };
}

/** The result of a replay; null where nothing was selected. */
export async function printReplay(
  sql: Sql,
  replay: { id: string; progress: ReplayProgress } | null,
  { leftOut, isJson }: Printed,
): Promise<void> {
  const skipped = replay === null ? [] : await skippedOf(sql, replay.id, isJson ? undefined : SHOWN + 1);
  if (isJson) {
    const { skipped: _count, ...counts } = replay?.progress ?? NOTHING;
    printJson({ id: replay?.id ?? null, ...counts, leftAlone: skipped, left_out: leftOut });
    return;
  }
  if (replay === null) printLine('nothing to replay');
  else printProgress(replay.id, replay.progress);
  printSkipped([...skipped, ...leftOut], (replay?.progress.skipped ?? 0) + leftOut.length);
}

const NOTHING: ReplayProgress = {
  ...{ selected: 0, sent: 0, resolved: 0, dead: 0, takenOver: 0, skipped: 0 },
  byCode: {},
  ended: null,
};

function printProgress(id: string, progress: ReplayProgress): void {
  const { selected, resolved, dead, takenOver, byCode, ended } = progress;
  printTable(['code', 'calls'], Object.entries(byCode).sort());
  printLine(`replay ${id}: ${selected} selected: ${resolved} resolved, ${dead} refused`);
  if (takenOver > 0) printLine(`${takenOver} taken over by another replay, or deleted`);
  if (ended === null) return;
  const resume = `cdr-ingest dead replay --resume ${id}`;
  printLine(
    `stopped early (${ended}); rerun the command to continue, or exactly the rest of this one: ${resume}`,
  );
}

/** The result of a dry run; null where nothing was selected. */
export async function printDryRun(sql: Sql, id: string | null, { leftOut, isJson }: Printed): Promise<void> {
  if (isJson) return await writeData(dryRunJson(sql, id, leftOut));
  if (id === null) {
    printLine('nothing to replay');
    printSkipped(leftOut, leftOut.length);
    return;
  }
  const rows = await readReplayLetters(sql, id, { limit: SHOWN, only: 'tried' });
  printTable(['id', 'uniqueid', 'would become', 'reply', 'charged', 'invoice'], rows.map(triedRow));
  const sums = await readDryRunSums(sql, id);
  const tried = sums.outcomes.reduce((total, { count }) => total + count, 0);
  if (tried > SHOWN) printLine(`and ${tried - SHOWN} more (use --json to see all)`);
  printSums(sums);
  printLine('Dry run: nothing was changed.');
  const skipped = await skippedOf(sql, id, SHOWN + 1);
  const left = sums.skipped.reduce((total, { count }) => total + count, 0);
  printSkipped([...skipped, ...leftOut], left + leftOut.length);
  printLine(`To replay exactly this: cdr-ingest dead replay --dry-run-id ${id}`);
}

function triedRow(letter: ReplayLetter) {
  const { id, uniqueid, becomes, code, responses, charged, currency, invoice, uninvoiced } = letter;
  const problems = responses
    .filter(({ code: each }) => !each.startsWith('2'))
    .map(({ key, message }) => (key === '' ? message : `${key}: ${message}`));
  const money = charged === null ? '' : `${charged} ${currency}`;
  const bill = uninvoiced ? 'none takes it' : (invoice ?? '');
  return [id, uniqueid ?? '', becomes ?? '', [code ?? '', ...problems], money, bill];
}

/** What a dry run comes to. */
export function printSums({ outcomes, customers, unverified, invoices, uninvoiced }: DryRunSums): void {
  printTable(
    ['would become', 'calls'],
    outcomes.map(({ becomes, count }) => [becomes, count]),
  );
  if (customers.length > 0)
    printTable(
      ['customer', 'calls', 'would be charged'],
      customers.map(({ customer, customer_name, calls, charged, currency }) => [
        customerOf(customer, customer_name),
        calls,
        `${charged} ${currency}`,
      ]),
    );
  if (invoices.length > 0)
    printTable(
      ['invoice', 'calls', 'would gain'],
      invoices.map(({ invoice, calls, billed, currency }) => [invoice, calls, `${billed} ${currency}`]),
    );
  for (const { calls, charged, currency } of unverified)
    printLine(
      `not counted above: ${counted(calls, 'call')} of unverified senders, who only claim to be theirs: ${charged} ${currency}`,
    );
  for (const { calls, billed, currency } of uninvoiced)
    printLine(
      `WARNING: ${counted(calls, 'call')} would be on no invoice, though update_invoices is 1: ${billed} ${currency}`,
    );
}

function printSkipped(skipped: readonly Skipped[], count: number): void {
  for (const { id, why } of skipped.slice(0, SHOWN)) printLine(`skipped ${id}: ${why}`);
  if (count > SHOWN) printLine(`and ${count - SHOWN} more skipped`);
}

/** Why letters of a replay were left out. */
async function skippedOf(sql: Sql, id: string, limit = Number.POSITIVE_INFINITY): Promise<Skipped[]> {
  const skipped: Skipped[] = [];
  for await (const page of pagesOf(sql, id, 'skipped')) {
    for (const { id: letter, skipped: why } of page) skipped.push({ id: letter, why: why ?? '' });
    if (skipped.length >= limit) break;
  }
  return skipped;
}

/** One row a line, page by page: a dry run may be larger than what fits into memory. */
async function* dryRunJson(sql: Sql, id: string | null, leftOut: readonly Skipped[]): AsyncGenerator<string> {
  yield `{\n  "id": ${JSON.stringify(id)},\n  "rows": [`;
  let isFirst = true;
  if (id !== null)
    for await (const page of pagesOf(sql, id, 'tried')) {
      yield `${isFirst ? '' : ','}\n${page.map((letter) => `    ${jsonText(dryRunRow(letter))}`).join(',\n')}`;
      isFirst = false;
    }
  const leftAlone = id === null ? [] : await skippedOf(sql, id);
  const rest = `"leftAlone": ${jsonText(leftAlone)},\n  "left_out": ${jsonText(leftOut)}`;
  yield `${isFirst ? '' : '\n  '}],\n  ${rest}\n}\n`;
}

function dryRunRow(letter: ReplayLetter) {
  const { id, uniqueid, becomes, code, responses, charged, currency, customer } = letter;
  const { customer_name, invoice, uninvoiced } = letter;
  return {
    id,
    uniqueid,
    becomes,
    code,
    responses,
    charged,
    currency,
    customer,
    customer_name,
    invoice,
    uninvoiced,
  };
}

async function* pagesOf(sql: Sql, id: string, only: LettersOnly): AsyncGenerator<ReplayLetter[]> {
  for (let after = 0; ; ) {
    const page = await readReplayLetters(sql, id, { limit: PAGE, after, only });
    const last = page.at(-1);
    if (last === undefined) return;
    yield page;
    after = last.position;
  }
}
