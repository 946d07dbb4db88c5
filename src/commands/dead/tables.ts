import type { Story } from '../../dead-letters/history.ts';
import { answerOf, moneyOf, senderOf, timeOf } from '../../dead-letters/format.ts';
import { unsendable } from '../../domain/kept.ts';
import { shorten, shown } from '../../domain/text.ts';
import type { LetterGroup, LetterSummary } from '../../store/dead-letters/list.ts';
import { printLine, printTable } from '../print.ts';

export function printList(letters: readonly LetterSummary[], systemCurrency: string): void {
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
    letters.map((letter) => [
      letter.id,
      timeOf(letter.last_dead_at),
      letter.reason,
      letter.status,
      shorten(letter.uniqueid ?? '', 40),
      letter.scustomer ?? '',
      shorten(letter.machine ?? '', 24),
      answerOf(letter),
      moneyOf(letter.cost, letter.currency, systemCurrency),
      letter.deaths,
    ]),
  );
}

export function printGroups(field: string, groups: readonly LetterGroup[]): void {
  printTable(
    [field, 'dead letters', 'last died (UTC)', 'money at stake'],
    groups.map(({ value, count, last_dead_at, at_stake }) => {
      const money = at_stake.map(({ cost, currency }) => `${cost} ${currency}`);
      return [shorten(value ?? '(unknown)', 60), count, timeOf(last_dead_at), money];
    }),
  );
}

export function printStory({ letter, call, history, stored, differences }: Story): void {
  printLine(`dead letter ${letter.id}: ${letter.reason}, ${letter.status}`);
  for (const { code, key, message } of letter.responses)
    printLine(`  answered ${code} ${key === '' ? '' : `${key}: `}${message}`);
  if (letter.error !== null) printLine(`  error: ${letter.error}`);
  printLine(`  ${senderOf(letter)}, ${letter.deaths} deaths, ${letter.replays} replays`);
  const problem = unsendable(letter.altered, letter.edits);
  if (problem !== null) printLine(`  not sent again: ${problem}`);

  if (call === null) {
    printLine('');
    printLine('The body cannot be read:');
    printLine(shorten(letter.body, 2000));
  } else printCall({ letter, call, stored, differences });
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
function printCall({ letter, call, stored, differences }: Omit<Story, 'history'>): void {
  const isCorrected = Object.keys(letter.edits).length > 0;
  const head = [
    '',
    'parameter',
    'as it came',
    ...(isCorrected ? ['corrected'] : []),
    ...(stored ? ['stored'] : []),
  ];
  const differing = new Set<string>(differences.map(({ parameter }) => parameter));
  const names = new Set([...Object.keys(call ?? {}), ...Object.keys(letter.edits), ...differing]);
  const rows = [...names].map((name) => {
    const value = (fields: object | null) => {
      const found: unknown = fields === null ? undefined : Reflect.get(fields, name);
      return found === undefined ? '' : shown(found);
    };
    return [
      differing.has(name) ? '≠' : '',
      shorten(name, 40),
      value(call),
      ...(isCorrected ? [value(letter.edits)] : []),
      ...(stored ? [value(stored.call)] : []),
    ];
  });
  printTable(head, rows);
}
