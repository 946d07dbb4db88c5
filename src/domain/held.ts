import type { Cdr } from './cdr.ts';
import type { Outcome } from './outcome.ts';

/** No outcome yet: somebody else holds or refuses what the message needs. It waits; its neighbours do not. */
export interface Held {
  kind: 'held';
  /** The name of what is held, e.g. `customer 104`. Null where only trying the message tells whether it may pass. */
  row: string | null;
  /** Who holds it, or what went wrong. Shows no value of a call. */
  why: string;
}

/**
 * How messages are persisted: `ordinary`; `brief`, ended early because one of them may be what makes a statement slow;
 * `alone`, one message whose row is held, to see whether it still is, and as brief.
 */
export type Manner = 'ordinary' | 'brief' | 'alone';

/** What a message has come to for now. */
export type PersistResult = Outcome | Held;

/** Who holds a row now, if anybody. */
export type HeldBy = (row: string) => Held | undefined;

export const nothingHeld: HeldBy = () => undefined;

export const customerRow = (id: number) => `customer ${id}`;
export const invoiceRow = (id: number) => `invoice ${id}`;
export const deadLetterRow = (id: string) => `dead letter ${id}`;

/**
 * The calls that fail if this one does, as long as none of them gets through: what fails for one customer's row or
 * invoice, or for a trigger on them, fails for these calls and for no others.
 */
export function callsLike(cdr: Cdr): string {
  const invoiced = cdr.invoice === 0 ? 'on their open invoice' : `on invoice ${cdr.invoice}`;
  const where = cdr.update_invoices === 1 ? invoiced : 'on no invoice';
  const charged = cdr.update_balance === 1 ? '' : ', not charged';
  return `calls of ${customerRow(cdr.scustomer)} ${where}${charged}`;
}

/** What a call has to wait for: a row that it changes and somebody holds, or similar calls. */
export function heldFor(cdr: Cdr, invoice: number | null, isHeld: HeldBy): Held | undefined {
  const customer = cdr.update_balance === 1 ? isHeld(customerRow(cdr.scustomer)) : undefined;
  if (customer !== undefined) return customer;
  const moved = cdr.update_invoices === 1 && invoice !== null ? isHeld(invoiceRow(invoice)) : undefined;
  return moved ?? isHeld(callsLike(cdr));
}
