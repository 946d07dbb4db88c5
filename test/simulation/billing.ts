import { type Amount, amount, ZERO } from '../../src/domain/money.ts';
import type { Random } from './random.ts';

export interface BillingCustomer {
  currency: string;
  opening: Amount;
  balance: Amount;
  charged: Amount;
  calls: number;
}

export interface BillingInvoice {
  customer: number;
  currency: string;
  open: boolean;
  /** Unix seconds: start inclusive, end exclusive. */
  start: number;
  end: number;
  cost: Amount;
  tax: Amount;
  calls: number;
}

/** What the billing system keeps, and the worker reads and moves. */
export interface Billing {
  currencies: Map<string, Amount>;
  customers: Map<number, BillingCustomer>;
  peers: Set<number>;
  taxes: Map<number, { name: string; rate: Amount; flat: Amount }>;
  invoices: Map<number, BillingInvoice>;
}

/** The call times of every history lie in this period. */
export const PERIOD = { start: 1_700_000_000, end: 1_700_100_000 };
/** An invoice that stays open, for calls that name one. */
export const NAMED_INVOICE = { id: 30, customer: 3 };

function customer(currency: string, opening: string): BillingCustomer {
  return { currency, opening: amount(opening), balance: amount(opening), charged: ZERO, calls: 0 };
}

function invoice(of: number, currency: string, start = PERIOD.start): BillingInvoice {
  return { customer: of, currency, open: true, start, end: PERIOD.end, cost: ZERO, tax: ZERO, calls: 0 };
}

export function billingSystem(): Billing {
  return {
    currencies: new Map([
      ['USD', amount('1')],
      ['EUR', amount('0.92')],
      ['JPY', amount('151.4')],
    ]),
    customers: new Map([
      [1, customer('USD', '100')],
      [2, customer('EUR', '0.000001')],
      [3, customer('JPY', '-5')],
    ]),
    peers: new Set([1]),
    taxes: new Map([
      [1, { name: 'VAT', rate: amount('19'), flat: ZERO }],
      [2, { name: 'levy', rate: ZERO, flat: amount('0.05') }],
    ]),
    invoices: new Map([
      [10, invoice(1, 'EUR')],
      [11, invoice(1, 'USD', PERIOD.start + 50_000)],
      [20, invoice(2, 'EUR', PERIOD.start + 30_000)],
      [NAMED_INVOICE.id, invoice(NAMED_INVOICE.customer, 'USD')],
    ]),
  };
}

/** The billing system changes something that calls are charged on, and that makes none of them invalid. */
export function changeReference(billing: Billing, random: Random): string {
  const { currencies, customers, taxes, invoices } = billing;
  const factor = amount(random.pick(['0.9', '1.1', '1.000001']));
  const code = random.pick(['EUR', 'JPY']);
  const changes: [string, () => void][] = [
    [`rate of ${code}`, () => currencies.set(code, (currencies.get(code) ?? ZERO).times(factor))],
    ['rate of a tax', () => taxes.set(1, { name: 'VAT', rate: amount('19').times(factor), flat: ZERO })],
    [
      'currency of a customer',
      () => {
        const two = customers.get(2);
        if (two !== undefined) two.currency = random.pick(['USD', 'EUR', 'JPY']);
      },
    ],
    [
      'invoice closed or opened again',
      () => {
        const found = invoices.get(random.pick([10, 11, 20]));
        if (found !== undefined) found.open = !found.open;
      },
    ],
    ['new invoice', () => invoices.set(100 + invoices.size, invoice(random.between(1, 2), 'JPY'))],
  ];
  const [name, change] = changes[random.between(0, changes.length - 1)] ?? ['nothing', () => undefined];
  change();
  return name;
}
