import { shorten } from '../domain/text.ts';
import type { DeadLetterSummary } from '../store/dead-letters/list.ts';

/** To the second, in UTC. */
export function timeOf(date: Date): string {
  return date.toISOString().slice(0, 19).replace('T', ' ');
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

/** The reply in short: its code and the parameters at fault. */
export function answerOf({ responses }: Pick<DeadLetterSummary, 'responses'>): string {
  const keys = responses.map(({ key }) => key).filter((key) => key !== '');
  return shorten([responses[0]?.code ?? '', keys.join(', ')].filter((part) => part).join(' '), 40);
}
