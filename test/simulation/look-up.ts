import { type Amount, plain } from '../../src/domain/money.ts';
import type { Found } from '../../src/store/persist/look-up.ts';
import type { Billing } from './billing.ts';
import type { StoredCall } from './lines.ts';

/** The values of the statement `persist.look-up`. */
export type Wanted = [
  uniqueids: string[],
  customers: number[],
  peers: number[],
  taxIds: number[],
  taxNames: string[],
  invoices: number[],
  invoiceCustomers: number[],
  ...span: number[],
];

/** Its answer, in the form that the real statement gives it. */
export function found(wanted: Wanted, calls: readonly StoredCall[], billing: Billing): Found {
  const { currencies, customers, peers, taxes, invoices } = billing;
  const [ids, customerIds, peerIds, taxIds, taxNames, invoiceIds, invoiceCustomers] = wanted;
  const uniqueids = new Set(ids);
  const text = (value: Amount) => plain(value);
  return {
    stored: calls
      .filter(({ uniqueid }) => uniqueids.has(uniqueid))
      .map(({ uniqueid, fingerprint }) => [uniqueid, fingerprint]),
    currencies: [...currencies].map(([code, rate]) => [code, text(rate)]),
    customers: [...customers]
      .filter(([id]) => customerIds.includes(id))
      .map(([id, { currency }]) => [id, currency]),
    peers: [...peers].filter((id) => peerIds.includes(id)),
    taxes: [...taxes]
      .filter(([id, { name }]) => taxIds.includes(id) || taxNames.includes(name))
      .map(([id, { name, rate, flat }]) => [id, name, text(rate), text(flat)]),
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
