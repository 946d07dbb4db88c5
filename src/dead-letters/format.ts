import { shorten } from '../domain/text.ts';
import type { DeadLetterSummary } from '../store/dead-letters/list.ts';

/** To the second, in UTC. */
export function timeOf(date: Date): string {
  return date.toISOString().slice(0, 19).replace('T', ' ');
}

/** Who sent it; a name that nobody verified is only what the message says. */
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

/** What was answered, in few words: the code and the parameters at fault. */
export function answerOf({ responses }: Pick<DeadLetterSummary, 'responses'>): string {
  const keys = responses.map(({ key }) => key).filter((key) => key !== '');
  return shorten([responses[0]?.code ?? '', keys.join(', ')].filter((part) => part).join(' '), 40);
}
