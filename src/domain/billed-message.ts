import { createHash } from 'node:crypto';
import { type Bill, billFor } from './bill.ts';
import type { Outcome } from './outcome.ts';

/** A stored call or a booked correction, as it is told to the exchange of billed calls (docs/interface.md, section 9). */
export interface BilledMessage {
  /** The same in every message about this call or correction, so that its receivers can tell repeats. */
  id: string;
  about: 'call' | 'correction';
  uniqueid: string;
  /** The id of the correction. */
  entry: string | null;
  /** The answer was that of a duplicate: there may have been a message before. */
  isRepeat: boolean;
  body: string;
}

/**
 * What is told of the outcome of a message: a call, or each entry of a correction, so that the amounts of all messages add up to
 * what was moved. Nothing where nothing is stored, or nothing is known of it any more.
 */
export function billedMessagesOf(outcome: Outcome): BilledMessage[] {
  switch (outcome.kind) {
    case 'accepted':
      return [billedMessage(billFor(outcome.stored), false)];
    case 'booked':
    case 'duplicate':
      return [outcome.reversed, outcome.bill].flatMap((bill) =>
        bill === undefined ? [] : [billedMessage(bill, outcome.kind === 'duplicate')],
      );
    default:
      return [];
  }
}

function billedMessage(bill: Bill, isRepeat: boolean): BilledMessage {
  const { uniqueid, entry } = bill;
  const about = entry === null ? 'call' : 'correction';
  return {
    id: messageId(about, entry ?? uniqueid),
    about,
    uniqueid,
    entry,
    isRepeat,
    body: JSON.stringify(billedBody(bill, isRepeat)),
  };
}

/** What AMQP's `message_id` holds at most. */
const SHORT_STRING_BYTES = 255;

/**
 * What it is about stands in front, for a correction may have the uniqueid of a call as its id. Where both have more bytes than
 * a `message_id` holds, the SHA-256 of the id stands for it.
 */
function messageId(about: BilledMessage['about'], id: string): string {
  const whole = `${about}:${id}`;
  if (Buffer.byteLength(whole) <= SHORT_STRING_BYTES) return whole;
  return `${about}:${createHash('sha256').update(id).digest('hex')}`;
}

function billedBody(bill: Bill, isRepeat: boolean) {
  const { terms } = bill;
  return {
    uniqueid: bill.uniqueid,
    entry: bill.entry,
    customer: bill.customer,
    charged: bill.charged,
    currency: bill.currency,
    cost: bill.cost,
    tax: bill.tax,
    call_currency: bill.callCurrency,
    invoice: bill.invoice,
    invoice_cost: bill.invoiceCost,
    invoice_tax: bill.invoiceTax,
    invoice_currency: bill.invoiceCurrency,
    terms: {
      system_rate: terms.systemRate,
      currency_rate: terms.currencyRate,
      customer_rate: terms.customerRate,
      invoice_rate: terms.invoiceRate,
      taxes: terms.taxes.map(({ id, rate, flat, currency, currencyRate }) => ({
        id,
        rate,
        flat,
        currency,
        currency_rate: currencyRate,
      })),
    },
    repeat: isRepeat,
  };
}
