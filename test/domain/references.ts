import { type Cdr, toCdr } from '../../src/domain/cdr.ts';
import type { Invoice, References, Tax } from '../../src/domain/charge.ts';
import { readCall } from '../../src/domain/contract.ts';
import { amount } from '../../src/domain/money.ts';

const LEAST = {
  auth_username: 'switch',
  auth_password: 'right',
  uniqueid: 'a',
  machine: '1',
  start: 1000,
  scustomer: 1,
};

/** The call that these parameters say, in a system whose currency is USD. */
export function calledWith(fields: Readonly<Record<string, unknown>>): Cdr {
  const read = readCall(fields);
  if (read === undefined) throw new Error('expected parameters that keep the contract');
  return toCdr(read, 'USD');
}

/** A call of 10 with the least it must have; `update_balance` and `update_invoices` are 1. */
export function call(more: Partial<Cdr> = {}): Cdr {
  return { ...calledWith(LEAST), cost: '10', ...more };
}

export function tax(id: number, name: string, rate: string, flat: string, currency?: string): Tax {
  return { id, name, rate: amount(rate), flat: amount(flat), currency: currency ?? null };
}

export const TAXES: readonly Tax[] = [
  tax(1, 'vat', '20', '0'),
  tax(2, 'fee', '0', '0.1'),
  tax(3, 'third', '33.333333', '0.000001'),
];

function invoice(id: number, customer: number, periodStart: number, periodEnd: number, more = {}): Invoice {
  return { id, customer, currency: 'USD', open: true, periodStart, periodEnd, ...more };
}

/** Customer 1 has USD, 2 has EUR, 3 a currency without a rate; no customer but these. */
export const INVOICES: readonly Invoice[] = [
  invoice(10, 1, 0, 2000),
  invoice(11, 1, 500, 2000),
  invoice(12, 1, 2000, 3000.5, { currency: 'EUR' }),
  invoice(13, 1, 0, 2000, { open: false }),
  invoice(20, 2, 0, 2000, { currency: 'EUR' }),
  invoice(21, 2, 3000, 4000, { currency: 'XXX' }),
];

export const RATES = { USD: '1', EUR: '0.9', JPY: '150' };

export function references(more: Partial<References> = {}): References {
  return {
    systemCurrency: 'USD',
    lateCalls: 'hold',
    currencies: new Map(Object.entries(RATES).map(([code, rate]) => [code, amount(rate)])),
    customers: new Map([
      [1, 'USD'],
      [2, 'EUR'],
      [3, 'XXX'],
    ]),
    peers: new Set([5]),
    taxesById: new Map(TAXES.map((each) => [each.id, each])),
    taxesByName: new Map(TAXES.map((each) => [each.name, each])),
    invoices: new Map(INVOICES.map((each) => [each.id, each])),
    openInvoices: new Map(
      [1, 2].map((id) => [id, INVOICES.filter(({ customer, open }) => open && customer === id)]),
    ),
    ...more,
  };
}
