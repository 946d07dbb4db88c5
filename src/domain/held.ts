import type { Cdr } from './cdr.ts';
import type { Outcome } from './outcome.ts';

/** No outcome yet: what the message needs is held or refused by somebody else. It waits, its neighbours do not. */
export interface Held {
  kind: 'held';
  /** What is held, as people call it: `customer 104`. Null where the message waits for nothing but itself. */
  row: string | null;
  /** Who holds it, or what went wrong; shows no value of a call. */
  why: string;
}

/**
 * How entries are persisted: `ordinary`; `brief`, where one of them may be what makes a statement slow, so that it is ended
 * early; `alone`, one message whose row is held, to see whether it still is, and as brief.
 */
export type Manner = 'ordinary' | 'brief' | 'alone';

/** What a message came to for now. */
export type PersistResult = Outcome | Held;

/** Whether something is held at the moment. */
export type HeldBy = (row: string) => Held | undefined;

export const nothingHeld: HeldBy = () => undefined;

export const customerRow = (id: number) => `customer ${id}`;
export const invoiceRow = (id: number) => `invoice ${id}`;
export const deadLetterRow = (id: string) => `dead letter ${id}`;

/**
 * The calls that a failure of this one is taken to concern until another of them gets through: what fails for one customer's
 * row or invoice, or for a trigger on them, fails for these and for nobody else.
 */
export function callsLike(cdr: Cdr): string {
  const invoiced = cdr.invoice === 0 ? 'on their open invoice' : `on invoice ${cdr.invoice}`;
  const where = cdr.update_invoices === 1 ? invoiced : 'on no invoice';
  const charged = cdr.update_balance === 1 ? '' : ', not charged';
  return `calls of ${customerRow(cdr.scustomer)} ${where}${charged}`;
}

/** Of the rows that a call moves and of the calls like it, the first that is held. */
export function heldFor(cdr: Cdr, invoice: number | null, isHeld: HeldBy): Held | undefined {
  const customer = cdr.update_balance === 1 ? isHeld(customerRow(cdr.scustomer)) : undefined;
  if (customer !== undefined) return customer;
  const moved = cdr.update_invoices === 1 && invoice !== null ? isHeld(invoiceRow(invoice)) : undefined;
  return moved ?? isHeld(callsLike(cdr));
}
