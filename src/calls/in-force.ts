import { REVERSAL, THE_CALL } from '../domain/entry.ts';
import type { Entry } from '../store/calls/entries.ts';
import type { CallRow } from '../store/calls/row.ts';

/** A stored call as it stands after its corrections. */
export interface InForce {
  /** What the next entry follows: the id of the latest, '' for the call itself. */
  latest: string;
  isVoided: boolean;
  scustomer: number;
  customer_name: string | null;
  cost: string;
  currency: string;
  tax: string;
  taxes: string;
  messages: number;
  time: number;
  /** What the customer's balance fell by, in the customer's currency. */
  charged: string;
  customer_currency: string;
  /** The invoice that has its amounts, null for none; it gained these, in its currency. */
  invoice: number | null;
  invoice_cost: string;
  invoice_tax: string;
  invoice_currency: string | null;
  /** It belongs on an invoice, and none has taken it. */
  isLate: boolean;
}

/** A call and its entries, as far as they say what is in force. */
interface Corrected {
  call: Omit<CallRow, 'start' | 'end'> | null;
  entries: readonly Omit<Entry, 'tax_terms'>[];
}

/** Null for a call of which only the uniqueid is kept. Amounts of a voided call are those that were taken back. */
export function inForceOf({ call, entries }: Corrected): InForce | null {
  if (call === null) return null;
  const { scustomer, customer_name, cost, currency, tax, taxes, messages, time, charged } = call;
  let state: State = {
    ...{ scustomer, customer_name, cost, currency, tax, taxes, messages, time, charged },
    customer_currency: call.customer_currency,
    ...(call.update_invoices === 1 ? billedBy(call) : NOT_BILLED),
    isLate: call.update_invoices === 1 && call.invoice === null,
    latest: THE_CALL,
    isVoided: false,
    counting: THE_CALL,
  };
  for (const entry of entries) state = after(state, entry);
  const { counting, ...inForce } = state;
  return inForce;
}

/** Whether an entry books amounts of its own; else it takes some back, or says what the call has used of what is included. */
export function booksAmounts({ kind, follows }: Pick<Entry, 'kind' | 'follows'>): boolean {
  return kind === 'new' && follows.endsWith(REVERSAL);
}

interface State extends InForce {
  /** The entry whose amounts count. */
  counting: string;
}

/** Where nothing stands on an invoice. */
export const NOT_BILLED = { invoice: null, invoice_cost: '0', invoice_tax: '0', invoice_currency: null };

function billedBy({
  invoice,
  invoice_cost,
  invoice_tax,
  invoice_currency,
}: Pick<Entry, 'invoice' | 'invoice_cost' | 'invoice_tax' | 'invoice_currency'>) {
  return { invoice, invoice_cost, invoice_tax, invoice_currency };
}

function after(before: State, entry: Corrected['entries'][number]): State {
  const latest = entry.id;
  switch (entry.kind) {
    case 'reversing':
      return { ...before, latest, isVoided: true };
    case 'attaching':
      if (entry.late_entry !== before.counting) return { ...before, latest };
      return { ...before, latest, ...billedBy(entry), isLate: false };
    case 'new': {
      const { messages, time } = entry;
      const stands = { ...before, latest, isVoided: false, messages, time };
      // Without a reversing entry before it, it moves nothing.
      if (!booksAmounts(entry)) return stands;
      const {
        customer: scustomer,
        customer_name,
        cost,
        currency,
        tax,
        taxes,
        charged,
        customer_currency,
        late,
      } = entry;
      return {
        ...stands,
        ...{ scustomer, customer_name, cost, currency, tax, taxes, charged, customer_currency },
        ...billedBy(entry),
        isLate: late,
        counting: entry.id,
      };
    }
    default:
      return entry.kind satisfies never;
  }
}
