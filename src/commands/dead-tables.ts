import Table from 'cli-table3';
import type { Story } from '../desk/story.ts';
import { answerOf, moneyOf, timeOf } from '../desk/words.ts';
import { shorten, shown } from '../domain/text.ts';
import type { LetterGroup, LetterSummary } from '../store/letters.ts';

const style = { head: [], border: [] };

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
  const table = new Table({ head, style });
  for (const letter of letters) {
    table.push([
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
    ]);
  }
  process.stdout.write(`${table}\n`);
}

export function printGroups(field: string, groups: readonly LetterGroup[]): void {
  const table = new Table({ head: [field, 'dead letters', 'last died (UTC)', 'money at stake'], style });
  for (const { value, count, last_dead_at, at_stake } of groups) {
    const money = at_stake.map(({ cost, currency }) => `${cost} ${currency}`).join('\n');
    table.push([shorten(value ?? '(unknown)', 60), count, timeOf(last_dead_at), money]);
  }
  process.stdout.write(`${table}\n`);
}

export function printStory({ letter, call, history, stored, differences }: Story): void {
  const write = (line: string) => process.stdout.write(`${line}\n`);
  write(`dead letter ${letter.id}: ${letter.reason}, ${letter.status}`);
  for (const { code, key, message } of letter.responses)
    write(`  answered ${code} ${key === '' ? '' : `${key}: `}${message}`);
  if (letter.error !== null) write(`  error: ${letter.error}`);
  write(
    `  sent by ${letter.submitted_by ?? '(unknown)'}, ${letter.deaths} deaths, ${letter.replays} replays`,
  );

  if (call === null)
    write(`\nThe body cannot be read:\n${shorten(letter.body.replace(/\p{Cc}/gu, '\uFFFD'), 2000)}`);
  else printCall({ letter, call, stored, differences });
  if (stored !== null) {
    const { submitted_by, replayed_by, received_at, charged, customer_currency } = stored;
    const by = replayed_by === null ? submitted_by : `${submitted_by}, replayed by ${replayed_by}`;
    write(`stored ${timeOf(received_at)} from ${by}; charged ${charged} ${customer_currency}`);
  }

  const table = new Table({ head: ['when (UTC)', 'what', 'by', 'details', 'why'], style, wordWrap: true });
  for (const { at, event, by, text, why } of history)
    table.push([timeOf(at), event, by ?? '', text, why ?? '']);
  write(`\n${table}`);
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
  const table = new Table({ head, style });
  const differing = new Set<string>(differences.map(({ parameter }) => parameter));
  const names = new Set([...Object.keys(call ?? {}), ...Object.keys(letter.edits), ...differing]);
  for (const name of names) {
    const value = (fields: object | null) => {
      const found: unknown = fields === null ? undefined : Reflect.get(fields, name);
      return found === undefined ? '' : shown(found);
    };
    table.push([
      differing.has(name) ? '≠' : '',
      shorten(name, 40),
      value(call),
      ...(isCorrected ? [value(letter.edits)] : []),
      ...(stored ? [value(stored.call)] : []),
    ]);
  }
  process.stdout.write(`${table}\n`);
}
