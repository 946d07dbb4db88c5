import { bothValues, correctionOf, readableRecord, senderOf, timeOf } from '../../dead-letters/format.ts';
import type { DeadLetterView } from '../../dead-letters/history.ts';
import { shorten } from '../../domain/text.ts';
import { counted } from '../../plural.ts';
import { printLine, printTable } from '../print.ts';

/** Prints everything that is known about a dead letter. */
export function printDeadLetter(found: DeadLetterView): void {
  const { deadLetter, call, history, stored } = found;
  printSummary(found);
  if (call === null && deadLetter.source === null) {
    printLine('');
    printLine('The body cannot be read:');
    printLine(shorten(deadLetter.body, 2000));
  } else printCall(found);
  if (deadLetter.source !== null) printRecord(deadLetter);
  if (stored !== null) {
    const { submitted_by, replayed_by, received_at, charged, customer_currency } = stored;
    const by = replayed_by === null ? submitted_by : `${submitted_by}, replayed by ${replayed_by}`;
    printLine(`stored ${timeOf(received_at)} from ${by}; charged ${charged} ${customer_currency}`);
  }
  printLine('');
  printTable(
    ['when (UTC)', 'event', 'by', 'details', 'why'],
    history.map(({ at, event, by, text, why }) => [timeOf(at), event, by ?? '', text, why ?? '']),
  );
}

function printSummary({ deadLetter, problem }: DeadLetterView): void {
  const { id, reason, status, responses, error, source, deaths, replays, altered, mended } = deadLetter;
  printLine(`dead letter ${id}: ${reason}, ${status}`);
  for (const { code, key, message } of responses)
    printLine(`  answered ${code} ${key === '' ? '' : `${key}: `}${message}`);
  if (error !== null) printLine(`  error: ${error}`);
  if (source !== null) printLine(`  record of the feed ${source}`);
  printLine(`  ${senderOf(deadLetter)}, ${counted(deaths, 'death')}, ${counted(replays, 'replay')}`);
  if (mended) printLine('  the body was replaced by an operator');
  const hint = altered.includes('') ? ' (use --body)' : ' (use --set)';
  if (problem !== null) printLine(`  cannot be replayed: ${problem}${hint}`);
}

/** The record as its switch wrote it. */
function printRecord({ body }: DeadLetterView['deadLetter']): void {
  printLine('');
  for (const line of readableRecord(body).split('\n')) printLine(line);
}

/** The call as it arrived, what was corrected, and the stored call beside it; ≠ marks what differs. */
function printCall(view: DeadLetterView): void {
  const { deadLetter, call, stored, differences } = view;
  const isCorrected = Object.keys(deadLetter.edits).length > 0;
  const head = [
    '',
    'parameter',
    'received',
    ...(isCorrected ? ['corrected'] : []),
    ...(stored ? ['stored'] : []),
  ];
  const differing = new Set<string>(differences.map(({ parameter }) => parameter));
  const names = new Set([...Object.keys(call ?? {}), ...Object.keys(deadLetter.edits), ...differing]);
  const rows = [...names].map((name) => {
    const both = bothValues(view, name);
    return [
      differing.has(name) ? '≠' : '',
      shorten(name, 40),
      both.received,
      ...(isCorrected ? [correctionOf(view, name)] : []),
      ...(stored ? [both.stored] : []),
    ];
  });
  printTable(head, rows);
}
