import type { Found, Wanted } from '../../src/store/persist/look-up.ts';
import type { Billing } from './billing.ts';
import type { StoredCall } from './lines.ts';

/** The answer of the statements `persist.look-up` and `persist.look-up-next`, in the form that the real statement gives it. */
export function found(wanted: Wanted, calls: readonly StoredCall[], billing: Billing): Found {
  const { currencies, customers, peers, taxes, invoices } = billing;
  const [ids, customerIds, peerIds, taxIds, taxNames, invoiceIds, invoiceCustomers] = wanted;
  const uniqueids = new Set(ids);
  return {
    stored: calls
      .filter(({ uniqueid }) => uniqueids.has(uniqueid))
      .map(({ uniqueid, fingerprint }) => [uniqueid, fingerprint]),
    currencies: JSON.stringify([...currencies]),
    customers: [...customers]
      .filter(([id]) => customerIds.includes(id))
      .map(([id, { currency }]) => [id, currency]),
    peers: [...peers].filter((id) => peerIds.includes(id)),
    taxes: [...taxes]
      .filter(([id, { name }]) => taxIds.includes(id) || taxNames.includes(name))
      .map(([id, { name, rate, flat, currency }]) => [id, name, rate, flat, currency]),
    invoices: [...invoices]
      .filter(
        ([id, { open, customer }]) =>
          invoiceIds.includes(id) || (open && invoiceCustomers.includes(customer)),
      )
      .sort(([id, a], [otherId, b]) => a.start - b.start || id - otherId)
      .map(([id, { customer, currency, open, start, end }]) => [
        id,
        customer,
        currency,
        open,
        `${start}`,
        `${end}`,
      ]),
  };
}
