import { indented, isJson } from '../domain/json-text.ts';
import { shorten, shown } from '../domain/text.ts';
import type { DeadLetterSummary } from '../store/dead-letters/list.ts';
import type { DeadLetterView } from './history.ts';

/** To the second, in UTC. */
export function timeOf(date: Date): string {
  return date.toISOString().slice(0, 19).replace('T', ' ');
}

/**
 * A parameter, or the source, as it was received and as it is stored. What the map made of the record of a feed is only known
 * where it differs from what is stored.
 */
export function bothValues(
  { call, stored, differences }: DeadLetterView,
  name: string,
): { received: string; stored: string } {
  const mapped = differences.find(({ parameter }) => parameter === name)?.received;
  return {
    received: textOf(call === null ? mapped : valueIn(call, name)),
    stored: textOf(stored === null ? undefined : valueIn(storedValues(stored), name)),
  };
}

/** What an operator set in place of a parameter, or that it was taken out. */
export function correctionOf({ deadLetter }: DeadLetterView, name: string): string {
  const value = Object.hasOwn(deadLetter.edits, name) ? deadLetter.edits[name] : undefined;
  return value === null ? '(taken out)' : textOf(value);
}

function storedValues({ call, source }: NonNullable<DeadLetterView['stored']>): object {
  return source === null ? call : { ...call, source };
}

function valueIn(fields: object, name: string): unknown {
  return Object.hasOwn(fields, name) ? Reflect.get(fields, name) : undefined;
}

function textOf(value: unknown): string {
  return value === undefined ? '' : shown(value);
}

/** The sender; an unverified name is only a claim of the message. */
export function senderOf({
  submitted_by,
  verified,
}: Pick<DeadLetterSummary, 'submitted_by' | 'verified'>): string {
  if (submitted_by === null) return 'sent by (unknown)';
  return verified ? `sent by ${submitted_by}` : `claims to be ${submitted_by}`;
}

export function moneyOf(cost: string | null, currency: string | null, systemCurrency: string): string {
  return cost === null ? '' : `${cost} ${currency ?? systemCurrency}`;
}

/** A native record for people: JSON with a line for each value, every character of which stays as it is. */
export function readableRecord(text: string): string {
  return isJson(text) ? indented(text) : text;
}

/** The reply in short: its code and the parameters at fault. */
export function answerOf({ responses }: Pick<DeadLetterSummary, 'responses'>): string {
  const keys = responses.map(({ key }) => key).filter((key) => key !== '');
  return shorten([responses[0]?.code ?? '', keys.join(', ')].filter((part) => part).join(' '), 40);
}
