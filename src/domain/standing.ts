import { type Entry, type Moved, THE_CALL } from './entry.ts';
import type { Amount } from './money.ts';

/** A stored call, as far as corrections are about it. */
export interface CallOnBooks extends Moved {
  uniqueid: string;
  machine: string;
  /** Unix seconds. */
  start: number;
  messages: number;
  time: number;
}

/** Where the amounts in force are billed: on an invoice, on none although they belong on one, or nowhere. */
export type Billed =
  | { kind: 'invoiced'; invoice: number; cost: Amount; tax: Amount; currency: string; rate: Amount }
  /** `entry`: which late entry they are; '' is the call itself. */
  | { kind: 'late'; entry: string }
  | { kind: 'not' };

/** A call with its corrections, as it stands. */
export interface Standing {
  /** Of the latest entry, '' for the call itself: what the next one follows. */
  latest: string;
  isVoided: boolean;
  /** What was moved for it last, in place of everything before. */
  inForce: Moved;
  billed: Billed;
  messages: number;
  time: number;
}

/**
 * What is in force of a call after its entries.
 *
 * @param entries in their order: each follows the one before it
 */
export function standingOf(call: CallOnBooks, entries: readonly Entry[]): Standing {
  let standing: Standing = {
    latest: THE_CALL,
    isVoided: false,
    inForce: call,
    billed: billedBy(call, THE_CALL, call.updateInvoices === 1 && call.invoice === null),
    messages: call.messages,
    time: call.time,
  };
  for (const entry of entries) standing = after(standing, entry);
  return standing;
}

function after(before: Standing, entry: Entry): Standing {
  const latest = entry.id;
  switch (entry.kind) {
    case 'reversing':
      return { ...before, latest, isVoided: true };
    case 'new': {
      const { messages, time } = entry;
      // Without a reversing entry before it, it moves nothing.
      if (!before.isVoided) return { ...before, latest, messages, time };
      const billed = billedBy(entry, entry.id, entry.late);
      return { latest, isVoided: false, inForce: entry, billed, messages, time };
    }
    case 'attaching': {
      const isOfOther = before.billed.kind !== 'late' || before.billed.entry !== entry.lateEntry;
      return { ...before, latest, billed: isOfOther ? before.billed : billedBy(entry, entry.id, false) };
    }
    default:
      return entry.kind satisfies never;
  }
}

function billedBy(moved: Moved, entry: string, isLate: boolean): Billed {
  if (isLate) return { kind: 'late', entry };
  const { invoice, invoiceCost: cost, invoiceTax: tax, updateInvoices, terms } = moved;
  const { invoiceCurrency: currency, invoiceRate: rate } = terms;
  if (updateInvoices === 0 || invoice === null || currency === null || rate === null) return { kind: 'not' };
  return { kind: 'invoiced', invoice, cost, tax, currency, rate };
}

/** The entries of a call in their order: each follows the one before it. */
export function inLine<Linked extends Pick<Entry, 'id' | 'follows'>>(entries: readonly Linked[]): Linked[] {
  const byFollowed = new Map(entries.map((entry) => [entry.follows, entry]));
  const line: Linked[] = [];
  for (let next = byFollowed.get(THE_CALL); next !== undefined; next = byFollowed.get(next.id))
    line.push(next);
  return line;
}
