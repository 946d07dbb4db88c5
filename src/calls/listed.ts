import { readEntries } from '../store/calls/entries.ts';
import type { CallRow } from '../store/calls/row.ts';
import type { Sql } from '../store/sql.ts';
import { inForceOf, NOT_BILLED } from './in-force.ts';

/** What a call was stored with that corrections may have replaced. */
type Corrected =
  | 'cost'
  | 'currency'
  | 'taxes'
  | 'tax'
  | 'charged'
  | 'customer_currency'
  | 'invoice'
  | 'invoice_cost'
  | 'invoice_tax'
  | 'invoice_currency'
  | 'messages'
  | 'time';

/**
 * A stored call as lists and exports have it. Under the plain names is what is in force, so that whoever adds up `charged`
 * adds up what customers owe; what the call was stored with has `stored` in its name. `scustomer` is a parameter as it came.
 */
export type ListedCall = CallRow & { [Name in Corrected as `${Name}_stored`]: CallRow[Name] } & {
  voided: boolean;
  /** Whose balance it counts on, and the name of `customer_name`. */
  customer: number;
  /** It belongs on an invoice, and none has taken it. */
  late: boolean;
  /** Entries that correct it or put it on an invoice. */
  corrections: number;
  /** Of the latest of them: when, who and why. */
  corrected_at: Date | null;
  corrected_by: string | null;
  corrected_why: string | null;
};

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
  const billed = voided ? NOT_BILLED : now;
  return {
    ...call,
    customer: now.scustomer,
    customer_name: now.customer_name,
    cost: voided ? '0' : now.cost,
    currency: now.currency,
    taxes: now.taxes,
    tax: voided ? '0' : now.tax,
    charged: voided ? '0' : now.charged,
    customer_currency: now.customer_currency,
    invoice: billed.invoice,
    invoice_cost: billed.invoice_cost,
    invoice_tax: billed.invoice_tax,
    invoice_currency: billed.invoice_currency,
    messages: now.messages,
    time: now.time,
    voided,
    late: now.isLate && !voided,
    cost_stored: call.cost,
    currency_stored: call.currency,
    taxes_stored: call.taxes,
    tax_stored: call.tax,
    charged_stored: call.charged,
    customer_currency_stored: call.customer_currency,
    invoice_stored: call.invoice,
    invoice_cost_stored: call.invoice_cost,
    invoice_tax_stored: call.invoice_tax,
    invoice_currency_stored: call.invoice_currency,
    messages_stored: call.messages,
    time_stored: call.time,
    corrections: entries.length,
    corrected_at: latest?.booked_at ?? null,
    corrected_by: latest?.booked_by ?? null,
    corrected_why: latest?.why ?? null,
  };
}
