import { readEntries } from '../store/calls/entries.ts';
import type { CallRow } from '../store/calls/row.ts';
import type { Sql } from '../store/sql.ts';
import { inForceOf } from './in-force.ts';

/** A stored call with what is in force of it, as lists and exports have it. */
export interface ListedCall extends CallRow {
  voided: boolean;
  /** Entries that correct it or put it on an invoice. */
  corrections: number;
  /** Of the latest of them: when, who and why. */
  corrected_at: Date | null;
  corrected_by: string | null;
  corrected_why: string | null;
  customer_now: number;
  customer_name_now: string | null;
  cost_now: string;
  currency_now: string;
  tax_now: string;
  /** What the balance of the customer now has fallen by for it: 0 for a voided call. */
  charged_now: string;
  customer_currency_now: string;
  /** Null for none, and for a voided call. */
  invoice_now: number | null;
  /** It belongs on an invoice, and none has taken it. */
  late: boolean;
}

/** Calls with what is in force of them, in their order. */
export async function listed(sql: Sql, calls: readonly CallRow[]): Promise<ListedCall[]> {
  const entries = await readEntries(
    sql,
    calls.map(({ uniqueid }) => uniqueid),
  );
  return calls.map((call) => listedCall(call, entries.get(call.uniqueid) ?? []));
}

function listedCall(
  call: CallRow,
  entries: NonNullable<Parameters<typeof inForceOf>[0]>['entries'],
): ListedCall {
  const now = inForceOf({ call, entries });
  if (now === null) throw new Error('a stored call stands in some way');
  const { isVoided: voided } = now;
  const latest = entries.at(-1);
  return {
    ...call,
    voided,
    corrections: entries.length,
    corrected_at: latest?.booked_at ?? null,
    corrected_by: latest?.booked_by ?? null,
    corrected_why: latest?.why ?? null,
    customer_now: now.scustomer,
    customer_name_now: now.customer_name,
    cost_now: voided ? '0' : now.cost,
    currency_now: now.currency,
    tax_now: voided ? '0' : now.tax,
    charged_now: voided ? '0' : now.charged,
    customer_currency_now: now.customer_currency,
    invoice_now: voided ? null : now.invoice,
    late: now.isLate && !voided,
  };
}
