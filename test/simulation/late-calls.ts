import { invoiceRow } from '../../src/domain/held.ts';
import { converted, fraction, plainText } from '../domain/exact-model.ts';
import type { StoredEntry } from './fake-corrections.ts';
import type { FakeDatabase } from './fake-database.ts';
import type { StoredCall } from './lines.ts';
import { openInvoicesOf } from './terms.ts';

/** A call or an entry that belongs on an invoice, and is on none. */
interface LateThing extends Pick<StoredEntry, 'cost' | 'tax' | 'currency' | 'taxes' | 'customer'> {
  uniqueid: string;
  /** The id of the entry, '' for the call itself. */
  entry: string;
  calls: number;
}

/** Everything of a customer that no invoice took, and that nothing has taken back. */
function lateThings({ calls, corrections }: FakeDatabase, customer: number): LateThing[] {
  const { entries } = corrections;
  const lateCalls = calls
    .filter(({ update_invoices, invoice }) => update_invoices === 1 && invoice === null)
    .map((call) => ({ ...call, customer: call.scustomer, entry: '', calls: 1 }));
  const lateEntries = entries
    .filter(({ late }) => late)
    .map((entry) => ({ ...entry, entry: entry.id, calls: entry.kind === 'reversing' ? -1 : 1 }));
  return [...lateCalls, ...lateEntries].filter(
    (thing) => thing.customer === customer && !corrections.hasTaken(thing.uniqueid, thing.entry),
  );
}

/** Puts a customer's late calls and entries on the open invoice, as `invoice attach` does. Who holds the invoice keeps it from that. */
export function attachLate(database: FakeDatabase, customer: number): void {
  const [invoice] = openInvoicesOf(database.billing, customer);
  if (invoice === undefined || database.obstacles.has(invoiceRow(invoice.id))) return;
  for (const thing of lateThings(database, customer)) attach(database, thing, invoice);
}

function attach(
  database: FakeDatabase,
  thing: LateThing,
  invoice: ReturnType<typeof openInvoicesOf>[number],
): void {
  const { billing, corrections } = database;
  const call = database.find(thing.uniqueid);
  if (call === undefined) return;
  const [system = '1', rate = '1', invoiceRate = '1'] = ['USD', thing.currency, invoice.currency].map(
    (code) => billing.currencies.get(code),
  );
  const toward = (amount: string) =>
    plainText(converted(fraction(amount), fraction(rate), fraction(invoiceRate)));
  database.book([
    {
      ...blank(call, thing),
      id: `attaching ${corrections.entries.length}`,
      follows: corrections.latestOf(thing.uniqueid),
      invoice: invoice.id,
      invoice_cost: toward(thing.cost),
      invoice_tax: toward(thing.tax),
      system_rate: system,
      currency_rate: rate,
      invoice_currency: invoice.currency,
      invoice_rate: invoiceRate,
    },
  ]);
}

function blank(
  call: StoredCall,
  { uniqueid, customer, cost, tax, currency, taxes, entry, calls }: LateThing,
) {
  return {
    ...{ uniqueid, customer, cost, tax, currency, taxes },
    kind: 'attaching' as const,
    late_entry: entry,
    charged: '0',
    calls: 0,
    invoice_calls: calls,
    late: false,
    messages: call.messages,
    time: call.time,
    update_balance: 0,
    update_invoices: 1,
    customer_currency: call.customer_currency,
    customer_rate: call.customer_rate,
    tax_terms: null,
    fingerprint: null,
    booked_by: 'billing',
    why: null,
  };
}
