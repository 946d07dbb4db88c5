import type { Cdr } from './cdr.ts';
import type { Outcome } from './outcome.ts';
import type { MovedRows, Submission } from './submission.ts';

/** No outcome yet: somebody else holds or refuses what the message needs. It waits; its neighbours do not. */
export interface Held {
  kind: 'held';
  /** Whether somebody has locked it, or the database refuses it for another reason. */
  cause: 'lock' | 'message';
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

/** The same for corrections: what fails for the rows that they move. Null where those are not known. */
function correctionsLike({ customers, invoices }: MovedRows): string | null {
  const rows = [...customers.map(customerRow), ...invoices.map(invoiceRow)];
  return rows.length === 0 ? null : `corrections of ${rows.join(', ')}`;
}

/** What fails if this message does; null where only the message itself is known to. */
export function messagesLike(submission: Submission): string | null {
  switch (submission.kind) {
    case 'call':
      return callsLike(submission.call.cdr);
    case 'correction':
      return submission.moves === undefined ? null : correctionsLike(submission.moves);
    case 'decided':
      return null;
    default:
      return submission satisfies never;
  }
}

/** What a correction has to wait for: a row that it moves, or similar corrections. */
export function heldForRows(moves: MovedRows, isHeld: HeldBy): Held | undefined {
  const rows = [...moves.customers.map(customerRow), ...moves.invoices.map(invoiceRow)];
  const held = rows.map(isHeld).find((one) => one !== undefined);
  const like = correctionsLike(moves);
  return held ?? (like === null ? undefined : isHeld(like));
}

/** What a call has to wait for: a row that it changes and somebody holds, or similar calls. */
export function heldFor(cdr: Cdr, invoice: number | null, isHeld: HeldBy): Held | undefined {
  const customer = cdr.update_balance === 1 ? isHeld(customerRow(cdr.scustomer)) : undefined;
  if (customer !== undefined) return customer;
  const moved = cdr.update_invoices === 1 && invoice !== null ? isHeld(invoiceRow(invoice)) : undefined;
  return moved ?? isHeld(callsLike(cdr));
}
