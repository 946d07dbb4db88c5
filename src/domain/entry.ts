import type { Terms } from './charge.ts';
import type { Amount } from './money.ts';

/**
 * What an entry of a call's corrections does: `reversing` takes back the amounts in force, `new` books others in their place,
 * `attaching` puts amounts on an invoice that none took.
 */
export const entryKinds = ['reversing', 'new', 'attaching'] as const;
export type EntryKind = (typeof entryKinds)[number];

/** What an entry follows where that is the call itself. */
export const THE_CALL = '';

/** Behind the id of an update stands this in the id of its reversing entry, so that no message_id may end with it. */
export const REVERSAL = '#reversal';

/** What was moved for a call, or by an entry, and on which terms. */
export interface Moved {
  /** Whose balance and count. */
  customer: number;
  charged: Amount;
  /** Before tax, in `currency`. */
  cost: Amount;
  currency: string;
  tax: Amount;
  /** As they were given. */
  taxes: string;
  updateBalance: number;
  updateInvoices: number;
  invoice: number | null;
  invoiceCost: Amount;
  invoiceTax: Amount;
  terms: Terms;
}

/** One entry of a call's corrections (table `corrections`). Amounts of a reversing entry are negative. */
export interface Entry extends Moved {
  id: string;
  kind: EntryKind;
  uniqueid: string;
  follows: string;
  /** The late entry whose amounts it puts on an invoice, or takes back before one took them. */
  lateEntry: string | null;
  calls: number;
  invoiceCalls: number;
  /** It belongs on an invoice, and none took it. */
  late: boolean;
  /** The call as it stands after it. */
  messages: number;
  time: number;
  /** Hex; null where no message came. */
  fingerprint: string | null;
  bookedBy: string;
  why: string | null;
}
