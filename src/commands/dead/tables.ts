import { answerOf, moneyOf, senderOf, timeOf } from '../../dead-letters/format.ts';
import type { DeadLetterView } from '../../dead-letters/history.ts';
import { unsendable } from '../../domain/kept.ts';
import { shorten, shown } from '../../domain/text.ts';
import type { DeadLetterGroup, DeadLetterSummary } from '../../store/dead-letters/list.ts';
import { printLine, printTable } from '../print.ts';

export function printList(deadLetters: readonly DeadLetterSummary[], systemCurrency: string): void {
  const head = [
    'id',
    'last died (UTC)',
    'reason',
    'status',
    'uniqueid',
    'customer',
    'machine',
    'answer',
    'cost',
    'deaths',
  ];
  printTable(
    head,
    deadLetters.map((deadLetter) => [
      deadLetter.id,
      timeOf(deadLetter.last_dead_at),
      deadLetter.reason,
      deadLetter.status,
      shorten(deadLetter.uniqueid ?? '', 40),
      deadLetter.scustomer ?? '',
      shorten(deadLetter.machine ?? '', 24),
      answerOf(deadLetter),
      moneyOf(deadLetter.cost, deadLetter.currency, systemCurrency),
      deadLetter.deaths,
    ]),
  );
}

export function printGroups(field: string, groups: readonly DeadLetterGroup[]): void {
  printTable(
    [field, 'dead letters', 'last died (UTC)', 'money at stake'],
    groups.map(({ value, count, last_dead_at, at_stake }) => {
      const money = at_stake.map(({ cost, currency }) => `${cost} ${currency}`);
      return [shorten(value ?? '(unknown)', 60), count, timeOf(last_dead_at), money];
    }),
  );
}

export function printDeadLetter({ deadLetter, call, history, stored, differences }: DeadLetterView): void {
  printLine(`dead letter ${deadLetter.id}: ${deadLetter.reason}, ${deadLetter.status}`);
  for (const { code, key, message } of deadLetter.responses)
    printLine(`  answered ${code} ${key === '' ? '' : `${key}: `}${message}`);
  if (deadLetter.error !== null) printLine(`  error: ${deadLetter.error}`);
  printLine(`  ${senderOf(deadLetter)}, ${deadLetter.deaths} deaths, ${deadLetter.replays} replays`);
  const problem = unsendable(deadLetter.altered, deadLetter.edits);
  if (problem !== null) printLine(`  not sent again: ${problem}`);

  if (call === null) {
    printLine('');
    printLine('The body cannot be read:');
    printLine(shorten(deadLetter.body, 2000));
  } else printCall({ deadLetter, call, stored, differences });
  if (stored !== null) {
    const { submitted_by, replayed_by, received_at, charged, customer_currency } = stored;
    const by = replayed_by === null ? submitted_by : `${submitted_by}, replayed by ${replayed_by}`;
    printLine(`stored ${timeOf(received_at)} from ${by}; charged ${charged} ${customer_currency}`);
  }

  printLine('');
  printTable(
    ['when (UTC)', 'what', 'by', 'details', 'why'],
    history.map(({ at, event, by, text, why }) => [timeOf(at), event, by ?? '', text, why ?? '']),
    { wordWrap: true },
  );
}

/** The call as it came, what was corrected, and the stored one beside it; ≠ marks what differs. */
function printCall({ deadLetter, call, stored, differences }: Omit<DeadLetterView, 'history'>): void {
  const isCorrected = Object.keys(deadLetter.edits).length > 0;
  const head = [
    '',
    'parameter',
    'as it came',
    ...(isCorrected ? ['corrected'] : []),
    ...(stored ? ['stored'] : []),
  ];
  const differing = new Set<string>(differences.map(({ parameter }) => parameter));
  const names = new Set([...Object.keys(call ?? {}), ...Object.keys(deadLetter.edits), ...differing]);
  const rows = [...names].map((name) => {
    const value = (fields: object | null) => {
      const found: unknown = fields === null ? undefined : Reflect.get(fields, name);
      return found === undefined ? '' : shown(found);
    };
    return [
      differing.has(name) ? '≠' : '',
      shorten(name, 40),
      value(call),
      ...(isCorrected ? [value(deadLetter.edits)] : []),
      ...(stored ? [value(stored.call)] : []),
    ];
  });
  printTable(head, rows);
}
