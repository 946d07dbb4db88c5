import {
  bothValues,
  correctionOf,
  moneyOf,
  readableRecord,
  senderOf,
  timeOf,
} from '../../dead-letters/format.ts';
import type { DeadLetterView } from '../../dead-letters/history.ts';
import { nextSteps } from '../../dead-letters/next-steps.ts';
import { shorten, shown } from '../../domain/text.ts';
import { counted } from '../../plural.ts';
import { printLine, printTable } from '../print.ts';

/** Prints everything that is known about a dead letter. */
export function printDeadLetter(found: DeadLetterView, systemCurrency: string): void {
  const { deadLetter, call, history, stored } = found;
  printSummary(found, systemCurrency);
  if (call === null && deadLetter.source === null) printText('The body cannot be read:', deadLetter.body);
  else printCall(found);
  if (deadLetter.source !== null) printRecord(deadLetter);
  else if (deadLetter.mended) printText('The body as it came:', deadLetter.body);
  if (stored !== null) printStored(stored);
  printLine('');
  printLine('What can be done next:');
  for (const step of nextSteps(found)) printLine(`  - ${step}`);
  printLine('');
  printTable(
    ['when (UTC)', 'event', 'by', 'details', 'why'],
    history.map(({ at, event, by, text, why }) => [timeOf(at), event, by ?? '', text, why ?? '']),
  );
}

function printSummary(
  { deadLetter, problem, times, inReplays }: DeadLetterView,
  systemCurrency: string,
): void {
  const { id, reason, status, operation, responses, error, source, deaths, replays, altered, mended } =
    deadLetter;
  printLine(`dead letter ${id}: ${reason}, ${status}`);
  for (const { code, key, message } of responses)
    printLine(`  answered ${code} ${key === '' ? '' : `${key}: `}${message}`);
  if (error !== null) printLine(`  error: ${error}`);
  if (source !== null) printLine(`  record of the feed ${source}`);
  if (operation !== 'create') printLine(`  asks for cdrs/${operation} of a stored call`);
  printLine(`  ${senderOf(deadLetter)}, ${counted(deaths, 'death')}, ${counted(replays, 'replay')}`);
  if (mended) printLine('  the body was replaced by an operator');
  const { scustomer, customer_name, cost, currency, properties } = deadLetter;
  if (scustomer !== null)
    printLine(
      `  customer ${scustomer}${customer_name === null ? ', who does not exist' : ` (${customer_name})`}`,
    );
  if (times.start !== null) printLine(`  ${callTimeOf(times)}`);
  if (cost !== null)
    printLine(
      `  costs ${moneyOf(cost, currency, systemCurrency)}${deadLetter.verified ? '' : ', as it claims'}`,
    );
  if (properties.routingKey) printLine(`  sent with the routing key ${shown(properties.routingKey)}`);
  if (inReplays.length > 0) printLine(`  in the replays and dry runs ${inReplays.join(', ')}`);
  const hint = altered.includes('') ? ' (use --body)' : ' (use --set)';
  if (problem !== null) printLine(`  cannot be replayed: ${problem}${hint}`);
}

function callTimeOf({ start, end, duration }: DeadLetterView['times']): string {
  const from = start === null ? '' : timeOf(start);
  return end === null ? `started ${from} UTC` : `from ${from} to ${timeOf(end)} UTC, ${duration} s`;
}

function printText(title: string, text: string): void {
  printLine('');
  printLine(title);
  printLine(shorten(text, 2000));
}

function printStored(stored: NonNullable<DeadLetterView['stored']>): void {
  const { submitted_by, replayed_by, received_at, tax, charged, customer_currency, call, invoice } = stored;
  const by = replayed_by === null ? submitted_by : `${submitted_by}, replayed by ${replayed_by}`;
  const of = stored.customer_name === null ? '' : ` (${stored.customer_name})`;
  printLine(
    `stored ${timeOf(received_at)} from ${by}; charged ${charged} ${customer_currency} to customer ${call.scustomer}${of}`,
  );
  const on = invoice === null ? 'on no invoice' : `on invoice ${invoice}`;
  printLine(`  cost ${call.cost} ${call.currency}, tax ${tax} ${call.currency}, ${on}`);
}

/** The record as its switch wrote it, or as an operator did in its place. */
function printRecord({ body, mended_body }: DeadLetterView['deadLetter']): void {
  printLine('');
  for (const line of readableRecord(mended_body ?? body).split('\n')) printLine(line);
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
