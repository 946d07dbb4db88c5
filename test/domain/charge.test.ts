import { describe, expect, it } from 'vitest';
import type { Cdr } from '../../src/domain/cdr.ts';
import { type Charge, charge, type LateCallRule, type References } from '../../src/domain/charge.ts';
import { amount, plain } from '../../src/domain/money.ts';
import { call, INVOICES, references, tax } from './references.ts';

function chargeOf(more: Partial<Cdr>, known: Partial<References> = {}): Charge {
  const charging = charge(call(more), references(known));
  if (charging.kind === 'refused') throw new Error(JSON.stringify(charging.errors));
  return charging.charge;
}

/** The amounts as text. */
function amountsOf(more: Partial<Cdr>, known: Partial<References> = {}) {
  const { tax, charged, invoice, invoiceCost, invoiceTax } = chargeOf(more, known);
  return {
    tax: plain(tax),
    charged: plain(charged),
    invoice,
    invoiceCost: plain(invoiceCost),
    invoiceTax: plain(invoiceTax),
  };
}

/** Taxes 1, 2, … in place of those of the other tests. */
function taxesOf(...taxes: Parameters<typeof tax>[]): Partial<References> {
  return { taxesById: new Map(taxes.map((each) => [each[0], tax(...each)])) };
}

function refusedKeys(more: Partial<Cdr>, known: Partial<References> = {}): string[] {
  const charging = charge(call(more), references(known));
  return charging.kind === 'refused' ? charging.errors.map(({ key }) => key) : [];
}

describe('a charge', () => {
  it('moves the cost and the tax of a call, balance and invoice alike', () => {
    const expected = { tax: '2.1', charged: '12.1', invoice: 10, invoiceCost: '10', invoiceTax: '2.1' };
    expect(amountsOf({ taxes: '1,fee' })).toEqual(expected);
  });

  it('is in the currency of the customer, and in that of the invoice', () => {
    expect(amountsOf({ scustomer: 2, currency: 'JPY', cost: '150', taxes: 'vat' })).toEqual({
      tax: '30',
      charged: '1.08',
      invoice: 20,
      invoiceCost: '0.9',
      invoiceTax: '0.18',
    });
  });

  it('has cost and tax converted and rounded one by one, so that bills and balances agree', () => {
    const currencies = new Map([
      ['USD', amount('1')],
      ['EUR', amount('3')],
    ]);
    const call = { currency: 'EUR', cost: '0.000002', taxes: 'vat', dcustomer: 2 };
    // 0.000002 / 3 → 0.000001; tax 0.0000004 → 0.
    expect(amountsOf(call, { currencies })).toMatchObject({
      tax: '0',
      charged: '0.000001',
      invoiceCost: '0.000001',
    });
    // Each part is 0.0000005 there: rounded one by one they are two millionths, together they would be one.
    const halves = { currency: 'JPY', cost: '0.000075', taxes: '1' };
    expect(amountsOf(halves, taxesOf([1, 'same', '100', '0']))).toMatchObject({
      tax: '0.000075',
      charged: '0.000002',
    });
  });

  it('has each tax rounded by itself, none on top of another', () => {
    expect(amountsOf({ cost: '0.000005', taxes: 'third,vat' }).tax).toBe('0.000004');
    expect(amountsOf({ cost: '100', taxes: 'vat,fee' }).tax).toBe('20.1');
    expect(amountsOf({ cost: '100', taxes: 'fee,vat' }).tax).toBe('20.1');
  });

  it('has the flat part of a tax converted from the currency of the tax to that of the call', () => {
    const known = taxesOf(
      [1, 'fee', '20', '0.45', 'EUR'],
      [2, 'yen', '0', '7', 'JPY'],
      [3, 'home', '0', '1', 'USD'],
    );
    expect(amountsOf({ taxes: '1' }, known)).toMatchObject({
      tax: '2.5',
      charged: '12.5',
      invoiceTax: '2.5',
    });
    expect(amountsOf({ taxes: '1', currency: 'JPY' }, known).tax).toBe('77');
    expect(amountsOf({ taxes: '1', currency: 'EUR' }, known).tax).toBe('2.45');
    expect(amountsOf({ taxes: '2,3' }, known).tax).toBe('1.046667');
  });

  it('has a tax rounded once: the converted flat part is not rounded by itself', () => {
    // 0.4 and a third of a millionth: one together, none apart.
    const currencies = new Map(
      Object.entries({ USD: '1', EUR: '3' }).map(([code, rate]) => [code, amount(rate)]),
    );
    const known = { currencies, ...taxesOf([1, 'both', '40', '0.000001', 'EUR']) };
    expect(amountsOf({ cost: '0.000001', taxes: '1' }, known).tax).toBe('0.000001');
    expect(amountsOf({ cost: '-0.000001', taxes: '1' }, known).tax).toBe('-0.000001');
  });

  it('of a credit is the charge of its call with the other sign', () => {
    const debit = amountsOf({ cost: '12.345678', taxes: '1,2,3', currency: 'EUR' });
    const credit = amountsOf({ cost: '-12.345678', taxes: '1,2,3', currency: 'EUR' });
    for (const name of ['tax', 'charged', 'invoiceCost', 'invoiceTax'] as const) {
      expect(credit[name]).toBe(`-${debit[name]}`);
    }
  });

  it('moves no balance with update_balance=0 and no invoice with update_invoices=0', () => {
    expect(amountsOf({ update_balance: 0 })).toMatchObject({ charged: '0', invoice: 10, invoiceCost: '10' });
    const still = { charged: '10', invoice: null, invoiceCost: '0', invoiceTax: '0' };
    expect(amountsOf({ update_invoices: 0 })).toMatchObject(still);
    expect(amountsOf({ update_invoices: 0, invoice: 10 })).toMatchObject({ ...still, invoice: 10 });
  });

  it('is never refused for lack of credit', () => {
    expect(amountsOf({ cost: '999999999999.999999' }).charged).toBe('999999999999.999999');
  });

  it('records the terms that it follows from', () => {
    const { terms } = chargeOf({ scustomer: 2, dcustomer: 1, currency: 'JPY', taxes: 'vat' });
    expect(terms).toMatchObject({ customerCurrency: 'EUR', invoiceCurrency: 'EUR' });
    expect(plain(terms.systemRate)).toBe('1');
    expect(plain(terms.currencyRate)).toBe('150');
    expect(plain(terms.customerRate)).toBe('0.9');
    expect(terms.taxes.map(({ id }) => id)).toEqual([1]);
  });

  it('records the currency of a tax that has one, and its rate', () => {
    const { terms } = chargeOf({ taxes: '1,2' }, taxesOf([1, 'fee', '0', '1', 'EUR'], [2, 'home', '0', '1']));
    expect(
      terms.taxes.map(({ currency, currencyRate }) => [currency, currencyRate && plain(currencyRate)]),
    ).toEqual([
      ['EUR', '0.9'],
      [null, null],
    ]);
  });

  it('takes the system currency at par where the billing system keeps no row for it', () => {
    const currencies = new Map([['EUR', amount('0.9')]]);
    expect(amountsOf({ scustomer: 2, cost: '10' }, { currencies }).charged).toBe('9');
    const taxed = { currencies, ...taxesOf([1, 'home', '0', '1', 'USD']) };
    expect(amountsOf({ taxes: '1', currency: 'EUR' }, taxed).tax).toBe('0.9');
  });

  it('takes the rate of the system currency from its row where there is one', () => {
    const currencies = new Map([
      ['USD', amount('2')],
      ['EUR', amount('1')],
    ]);
    expect(amountsOf({ scustomer: 2, cost: '10', taxes: 'fee' }, { currencies })).toMatchObject({
      tax: '0.1',
      charged: '5.05',
    });
    expect(amountsOf({ currency: 'EUR', cost: '10', taxes: 'fee' }, { currencies }).tax).toBe('0.05');
  });
});

describe('a rate that is no number, as PostgreSQL may have it', () => {
  it('refuses the calls that it would charge, and no others', () => {
    const currencies = new Map([
      ['USD', amount('1')],
      ['EUR', amount('NaN')],
    ]);
    expect(refusedKeys({ currency: 'EUR', cost: '10' }, { currencies })).toEqual(['cost']);
    expect(refusedKeys({ scustomer: 2, cost: '10' }, { currencies })).toEqual(['cost']);
    expect(refusedKeys({ cost: '10' }, { currencies })).toEqual([]);
  });
});

describe('the invoice of a call', () => {
  it('is the open one whose period holds its start: the earliest, then the lowest ID', () => {
    expect(chargeOf({ start: 0 }).invoice).toBe(10);
    expect(chargeOf({ start: 600 }).invoice).toBe(10);
  });

  it('counts the start of its period in and the end out, to the fraction of a second', () => {
    expect(chargeOf({ start: 1999 }).invoice).toBe(10);
    expect(chargeOf({ start: 2000 }).invoice).toBe(12);
    expect(chargeOf({ start: 3000 }).invoice).toBe(12);
    expect(chargeOf({ start: 3001 }).invoice).toBeNull();
  });

  it('is the next one where late calls go there: the earliest that begins after its start, and marked as such', () => {
    const empty = { id: 9, customer: 1, currency: 'USD', open: true, periodStart: 450, periodEnd: 450 };
    const later = INVOICES.filter(({ id }) => id === 11 || id === 12);
    const openInvoices = new Map([[1, [empty, ...later]]]);
    const chosen = (start: number, lateCalls: LateCallRule) => {
      const { invoice, invoiceLate } = chargeOf({ start }, { openInvoices, lateCalls });
      return [invoice, invoiceLate];
    };
    expect([0, 499, 500, 3001].map((start) => chosen(start, 'next'))).toEqual([
      [11, true],
      [11, true],
      [11, false],
      [null, false],
    ]);
    expect(chosen(0, 'hold')).toEqual([null, false]);
    const known = { openInvoices, lateCalls: 'next' as const };
    expect(chargeOf({ start: 0, update_invoices: 0 }, known).invoice).toBeNull();
  });

  it('may be none, and then only the balance moves', () => {
    expect(amountsOf({ start: 5000 })).toMatchObject({ charged: '10', invoice: null, invoiceCost: '0' });
  });

  it('is the one that the call names, whatever its period', () => {
    expect(amountsOf({ invoice: 12, cost: '10' })).toMatchObject({ invoice: 12, invoiceCost: '9' });
    expect(chargeOf({ invoice: 11, start: 5000 }).invoice).toBe(11);
  });

  it('that is named must exist, be the customer’s and be open', () => {
    expect(refusedKeys({ invoice: 99 })).toEqual(['invoice']);
    expect(refusedKeys({ invoice: 20 })).toEqual(['invoice']);
    expect(refusedKeys({ invoice: 13 })).toEqual(['invoice']);
  });

  it('that is named without being moved must exist and be the customer’s, and may be closed', () => {
    expect(refusedKeys({ invoice: 99, update_invoices: 0 })).toEqual(['invoice']);
    expect(refusedKeys({ invoice: 20, update_invoices: 0 })).toEqual(['invoice']);
    expect(chargeOf({ invoice: 13, update_invoices: 0 }).invoice).toBe(13);
  });
});

describe('a call is refused', () => {
  it.each([
    ['an unknown customer', { scustomer: 9, dcustomer: 1 }, ['scustomer']],
    ['an unknown destination customer', { dcustomer: 9 }, ['dcustomer']],
    ['an unknown peer', { peer: 6 }, ['peer']],
    ['an unknown currency', { currency: 'XXX' }, ['currency']],
    ['a currency in the wrong case', { currency: 'usd' }, ['currency']],
    ['an unknown tax ID', { taxes: '9' }, ['taxes']],
    ['an unknown tax name', { taxes: 'VAT' }, ['taxes']],
    ['a tax by ID and by name', { taxes: '1,vat' }, ['taxes']],
    ['a tax whose currency has no rate', { taxes: '6' }, ['taxes']],
    ['a customer whose currency has no rate', { scustomer: 3 }, ['scustomer']],
    ['an invoice whose currency has no rate', { scustomer: 2, start: 3000 }, ['invoice']],
    ['a cost whose charge exceeds the maximum', { cost: '999999999999', taxes: '4' }, ['cost']],
    [
      'several at once',
      { dcustomer: 9, peer: 6, currency: 'X', taxes: '9', invoice: 99 },
      ['dcustomer', 'peer', 'currency', 'taxes', 'invoice'],
    ],
  ])('for %s, by name', (_, more, keys) => {
    const own = taxesOf([4, 'huge', '100000000', '0'], [6, 'foreign', '20', '0', 'XXX']).taxesById ?? [];
    expect(refusedKeys(more, { taxesById: new Map([...references().taxesById, ...own]) })).toEqual(keys);
  });

  it('never for a peer of 0, the known peer, or the times of groups', () => {
    expect(refusedKeys({ peer: 0 })).toEqual([]);
    expect(refusedKeys({ peer: 5, ingroup_time: 99, outgroup_time: 99 })).toEqual([]);
  });
});
