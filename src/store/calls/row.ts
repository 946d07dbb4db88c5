import { type Cdr, cdrFields } from '../../domain/cdr.ts';
import { isDecimal } from '../../domain/contract.ts';

/** A stored call as lists, exports and its own page have it, by column. Decimals are plain text. */
export interface CallRow extends Omit<Cdr, 'start' | 'end' | 'invoice' | 'peer'> {
  start: Date;
  end: Date;
  /** The invoice that took it, or that it named; null for none. */
  invoice: number | null;
  invoice_named: boolean;
  /** It came after its period was closed, and the customer's next invoice took it. */
  invoice_late: boolean;
  peer: number | null;
  /** Null for a customer that is gone. */
  customer_name: string | null;
  /** Sum of the taxes, in the call's currency. */
  tax: string;
  /** What the customer's balance fell by when the call was stored; corrections are not part of it. */
  charged: string;
  customer_currency: string;
  /** What the invoice gained when the call was stored. */
  invoice_cost: string;
  invoice_tax: string;
  invoice_currency: string | null;
  submitted_by: string;
  /** The feed that it came by, null for a message that speaks the contract. */
  source: string | null;
  /** The operator in whose name it was sent again as a dead letter, else null. */
  replayed_by: string | null;
  received_at: Date;
}

const AMOUNTS = ['tax', 'charged', 'invoice_cost', 'invoice_tax'] as const;

/** Of `cdrs d` with `customers c`. */
export const rowColumns = [
  ...cdrFields.map((name) => (isDecimal(name) ? textOf(name) : `d."${name}"`)),
  ...AMOUNTS.map(textOf),
  'd.invoice_named, d.invoice_late, d.customer_currency, d.invoice_currency, d.submitted_by, d.source, d.replayed_by',
  'd.received_at, c.name as customer_name',
].join(', ');

function textOf(name: string): string {
  return `trim_scale(d."${name}")::text as "${name}"`;
}
