import type { Bill } from './bill.ts';
import { plain } from './money.ts';
import { type Code, codeOf, type Outcome } from './outcome.ts';

/** One entry of a reply. */
export interface ResponseEntry {
  code: Code;
  key: string;
  message: string;
}

/** The entries of the reply to an outcome: one for each wrong parameter, else a single one. */
export function responsesTo(outcome: Outcome): ResponseEntry[] {
  const code = codeOf(outcome);
  switch (outcome.kind) {
    case 'accepted':
    case 'booked':
    case 'duplicate':
    case 'validated':
      return [{ code, key: '', message: 'OK' }];
    case 'unknown call':
      return [{ code, key: 'uniqueid', message: 'no call with this uniqueid is stored' }];
    case 'rejected':
      return outcome.errors.map(({ key, message }) => ({ code, key, message }));
    case 'unauthenticated':
      return [{ code, key: '', message: 'The authentication details provided are invalid.' }];
    case 'superseded':
      return [{ code, key: '', message: 'Superseded by a newer replay of this dead letter.' }];
    case 'forbidden':
      return [
        {
          code,
          key: '',
          message: outcome.isOutside
            ? 'You may not submit calls for this machine or customer.'
            : 'Your role does not allow this.',
        },
      ];
    case 'conflict': {
      // Only names: the stored call may be another sender's. The dead letter has the values.
      const told = outcome.isForeign ? [] : outcome.differences;
      const names = told.map(({ parameter }) => parameter).join(', ');
      // No names are known once the stored call has been pruned.
      const what = names === '' ? 'different content' : `different values for: ${names}`;
      return [{ code, key: 'uniqueid', message: `already stored with ${what}` }];
    }
    case 'failed':
      return [
        {
          code,
          key: '',
          message: 'could not be processed; the call has been kept and an operator can replay it',
        },
      ];
    default:
      return outcome satisfies never;
  }
}

/** The body of the reply to an outcome, as it goes out. */
export function replyBody(outcome: Outcome): string {
  return JSON.stringify({ responses: responsesTo(outcome) });
}

/** The part of a bill that the headers of a reply tell. */
export type BillTold = Pick<Bill, 'charged' | 'currency' | 'tax' | 'invoice'>;

/**
 * What a reply tells of the bill of a call that is stored. Made of the charge itself where that is at hand: replies are
 * made for every message, whole bills only where somebody wants them. Of a pruned call nothing is known any more.
 */
export function billTold(outcome: Outcome): BillTold | undefined {
  if (outcome.kind === 'duplicate' || outcome.kind === 'booked') return outcome.bill;
  if (outcome.kind !== 'accepted') return undefined;
  const { charged, tax, invoice, terms } = outcome.stored.charge;
  return { charged: plain(charged), currency: terms.customerCurrency, tax: plain(tax), invoice };
}

/** Why a reply went to the results exchange although its sender named another address. */
export const diversions = ['returned', 'refused', 'malformed', 'closing', 'crowded', 'failed'] as const;
export type Diversion = (typeof diversions)[number];
