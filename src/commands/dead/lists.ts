import { type ExportColumn, type ExportRow, textOfColumn } from '../../dead-letters/export-columns.ts';
import { answerOf, moneyOf, timeOf } from '../../dead-letters/format.ts';
import { shorten } from '../../domain/text.ts';
import type { DeadLetterGroup, DeadLetterSummary, Money } from '../../store/dead-letters/list.ts';
import type { Problem } from '../../store/dead-letters/problems.ts';
import { printTable } from '../print.ts';
import { customerOf } from './consequences.ts';

const LIST_HEAD = [
  'id',
  'last died (UTC)',
  'reason',
  'status',
  'uniqueid',
  'customer',
  'machine',
  'source',
  'reply',
  'cost',
  'deaths',
];

export function printList(deadLetters: readonly DeadLetterSummary[], systemCurrency: string): void {
  printTable(
    LIST_HEAD,
    deadLetters.map((deadLetter) => [
      deadLetter.id,
      timeOf(deadLetter.last_dead_at),
      deadLetter.reason,
      deadLetter.status,
      shorten(deadLetter.uniqueid ?? '', 40),
      nameOf(deadLetter.scustomer, deadLetter.customer_name),
      shorten(deadLetter.machine ?? '', 24),
      shorten(deadLetter.source ?? '', 24),
      replyOf(deadLetter),
      moneyOf(deadLetter.cost, deadLetter.currency, systemCurrency),
      deadLetter.deaths,
    ]),
  );
}

function nameOf(customer: number | null, name: string | null): string {
  return customer === null ? '' : shorten(customerOf(customer, name), 32);
}

/** Of an unroutable message also where it was sent to. */
function replyOf(deadLetter: DeadLetterSummary): string[] {
  const { routing_key } = deadLetter;
  const answer = answerOf(deadLetter);
  return routing_key === null ? [answer] : [answer, `routing key ${shorten(routing_key, 40)}`];
}

/** Columns of an export as a table. */
export function printColumns(columns: readonly ExportColumn[], rows: readonly ExportRow[]): void {
  printTable(
    columns,
    rows.map((row) => columns.map((name) => shorten(textOfColumn(name, row), 60))),
  );
}

export function printGroups(field: string, groups: readonly DeadLetterGroup[]): void {
  printTable(
    [field, 'dead letters', 'last died (UTC)', 'money at stake'],
    groups.map(({ value, name, count, last_dead_at, at_stake }) => [
      shorten([value ?? '(unknown)', name ?? ''].join(' ').trimEnd(), 60),
      count,
      timeOf(last_dead_at),
      moneyLines(at_stake),
    ]),
  );
}

export function printProblems(problems: readonly Problem[]): void {
  printTable(
    [
      'reason',
      'key',
      'dead letters',
      'last hour',
      'last day',
      'oldest (UTC)',
      'last died (UTC)',
      'money at stake',
    ],
    problems.map(({ reason, key, count, last_hour, last_day, oldest, latest, at_stake }) => [
      reason,
      shorten(key, 40),
      count,
      last_hour,
      last_day,
      timeOf(oldest),
      timeOf(latest),
      moneyLines(at_stake),
    ]),
  );
}

function moneyLines(money: readonly Money[]): string[] {
  return money.map(({ cost, currency }) => `${cost} ${currency}`);
}
