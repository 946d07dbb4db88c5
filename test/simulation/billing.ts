import { millionths, product } from '../domain/exact-model.ts';
import type { Random } from './random.ts';

/** Amounts are in millionths, in the customer's currency. */
export interface BillingCustomer {
  currency: string;
  opening: bigint;
  balance: bigint;
  charged: bigint;
  calls: number;
}

/** Amounts are in millionths, in the invoice's currency. */
export interface BillingInvoice {
  customer: number;
  currency: string;
  open: boolean;
  /** Unix seconds: start inclusive, end exclusive. */
  start: number;
  end: number;
  cost: bigint;
  tax: bigint;
  calls: number;
}

export interface BillingTax {
  name: string;
  rate: string;
  flat: string;
  /** Of the flat part; null is the system currency. */
  currency: string | null;
}

/** What the billing system keeps, and the worker reads and moves. Rates are plain decimals. */
export interface Billing {
  currencies: Map<string, string>;
  customers: Map<number, BillingCustomer>;
  peers: Set<number>;
  taxes: Map<number, BillingTax>;
  invoices: Map<number, BillingInvoice>;
}

/** The call times of every history lie in this period. */
export const PERIOD = { start: 1_700_000_000, end: 1_700_100_000 };
/** An invoice that stays open, for calls that name one. */
export const NAMED_INVOICE = { id: 30, customer: 3 };

function customer(currency: string, opening: string): BillingCustomer {
  return { currency, opening: millionths(opening), balance: millionths(opening), charged: 0n, calls: 0 };
}

function invoice(of: number, currency: string, start = PERIOD.start): BillingInvoice {
  return { customer: of, currency, open: true, start, end: PERIOD.end, cost: 0n, tax: 0n, calls: 0 };
}

const VAT: BillingTax = { name: 'VAT', rate: '19', flat: '0', currency: null };
const LEVY: BillingTax = { name: 'levy', rate: '0', flat: '0.05', currency: 'EUR' };

export function billingSystem(): Billing {
  return {
    currencies: new Map([
      ['USD', '1'],
      ['EUR', '0.92'],
      ['JPY', '151.4'],
    ]),
    customers: new Map([
      [1, customer('USD', '100')],
      [2, customer('EUR', '0.000001')],
      [3, customer('JPY', '-5')],
    ]),
    peers: new Set([1]),
    taxes: new Map([
      [1, VAT],
      [2, LEVY],
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
  const factor = random.pick(['0.9', '1.1', '1.000001']);
  const code = random.pick(['EUR', 'JPY']);
  const changes: [string, () => void][] = [
    [`rate of ${code}`, () => currencies.set(code, product(currencies.get(code) ?? '0', factor))],
    ['rate of a tax', () => taxes.set(1, { ...VAT, rate: product('19', factor) })],
    [
      'currency of a tax',
      () => taxes.set(2, { ...LEVY, currency: random.pick([null, 'USD', 'EUR', 'JPY']) }),
    ],
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
