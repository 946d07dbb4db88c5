import fc from 'fast-check';
import { expect, it } from 'vitest';
import { type Cdr, fingerprint } from '../../src/domain/cdr.ts';
import type { Charge } from '../../src/domain/charge.ts';
import { type Call, decide } from '../../src/domain/decide.ts';
import { amount, plain } from '../../src/domain/money.ts';
import { charged, fraction, type ModelTax } from './exact-model.ts';
import { decimalText, fuzz, rateText } from './fuzzing.ts';
import { call, INVOICES, references, tax } from './references.ts';

/** The terms of a run as text: the product reads them as decimals, the model as fractions. */
interface Terms {
  rates: Record<string, string>;
  taxes: { rate: string; flat: string; currency: string | null }[];
}

const CURRENCY_OF = new Map([
  [1, 'USD'],
  [2, 'EUR'],
]);

const terms: fc.Arbitrary<Terms> = fc.record({
  rates: fc.record({ USD: rateText, EUR: rateText, JPY: rateText, XXX: rateText }),
  taxes: fc.array(
    fc.record({
      rate: smallDecimal(),
      flat: smallDecimal(),
      currency: fc.constantFrom(null, 'USD', 'EUR', 'JPY'),
    }),
    { minLength: 3, maxLength: 3 },
  ),
});

function smallDecimal(): fc.Arbitrary<string> {
  return fc.integer({ min: -50_000_000, max: 50_000_000 }).map((millionths) => (millionths / 1e6).toFixed(6));
}

const content = fc.record({
  scustomer: fc.constantFrom(1, 2),
  start: fc.constantFrom(0, 600, 1999, 2000, 3000, 3001, 9999),
  cost: decimalText,
  currency: fc.constantFrom('USD', 'EUR', 'JPY'),
  taxes: fc.subarray(['1', '2', '3']).map((ids) => ids.join(',')),
  invoice: fc.constantFrom(0, 0, 0, 10, 12, 13, 20, 21),
  update_balance: fc.constantFrom(0, 1),
  update_invoices: fc.constantFrom(0, 1),
});

/** A set of calls, and two ways in which they may arrive: any order, any repetition, any batches. */
const arrivals = fc.array(content, { minLength: 1, maxLength: 12 }).chain((contents) => {
  const cdrs = contents.map((each, index) => call({ ...each, uniqueid: `u${index}`, callid: `u${index}` }));
  const repeats = fc
    .array(fc.nat(cdrs.length - 1), { maxLength: 12 })
    .map((indices) => [...cdrs.keys(), ...indices]);
  const order = repeats.chain((indices) => fc.shuffledSubarray(indices, { minLength: indices.length }));
  const arrival = fc.tuple(order, fc.integer({ min: 1, max: 8 }));
  return fc.tuple(fc.constant(cdrs), arrival, arrival);
});

/** What has been moved: millionths by what they were moved on. */
type Ledger = Record<string, string>;

function post(sums: Map<string, bigint>, account: string, millionths: bigint): void {
  sums.set(account, (sums.get(account) ?? 0n) + millionths);
}

function written(sums: Map<string, bigint>): Ledger {
  return Object.fromEntries([...sums].sort().map(([account, sum]) => [account, sum.toString()]));
}

function millionths(value: Charge['tax']): bigint {
  const { over, under } = fraction(plain(value));
  return (over * 1_000_000n) / under;
}

/** Persists the calls batch by batch as a store would: what is decided to be stored is stored and moves. */
function persisted(
  cdrs: readonly Cdr[],
  [order, batch]: [number[], number],
  { rates, taxes }: Terms,
): Ledger {
  const known = taxes.map(({ rate, flat, currency }, index) =>
    tax(index + 1, `t${index}`, rate, flat, currency ?? undefined),
  );
  const terms = references({
    currencies: new Map(Object.entries(rates).map(([code, rate]) => [code, amount(rate)])),
    taxesById: new Map(known.map((tax) => [tax.id, tax])),
  });
  const calls: Call[] = order.flatMap((index) => {
    const cdr = cdrs[index];
    if (cdr === undefined) return [];
    return [{ cdr, fingerprint: fingerprint(cdr), validationOnly: false, submittedBy: 'switch' }];
  });
  const stored = new Map<string, string>();
  const sums = new Map<string, bigint>();
  for (let from = 0; from < calls.length; from += batch) {
    const together = calls.slice(from, from + batch);
    for (const [index, decision] of decide(together, stored, terms).entries()) {
      const one = together[index];
      if (decision.kind !== 'store' || one === undefined) continue;
      expect(stored.has(one.cdr.uniqueid)).toBe(false);
      stored.set(one.cdr.uniqueid, one.fingerprint);
      const { charged, tax, invoice, invoiceCost, invoiceTax } = decision.charge;
      post(sums, `tax ${one.cdr.uniqueid}`, millionths(tax));
      post(sums, `customer ${one.cdr.scustomer}`, millionths(charged));
      post(sums, `invoice ${invoice} cost`, millionths(invoiceCost));
      post(sums, `invoice ${invoice} tax`, millionths(invoiceTax));
    }
  }
  return written(sums);
}

const LIMIT = 10n ** 24n;

/** The same from the rules alone: each call once, in fractions. */
function modelled(cdrs: readonly Cdr[], { rates, taxes }: Terms): Ledger {
  const modelTaxes = taxes.map(
    ({ rate, flat, currency }): ModelTax =>
      currency === null ? { rate, flat } : { rate, flat, currency_rate: rates[currency] ?? '' },
  );
  const sums = new Map<string, bigint>();
  for (const cdr of cdrs) {
    const open = INVOICES.filter((each) => each.customer === cdr.scustomer && each.open);
    const holding = open.filter((each) => each.periodStart <= cdr.start && cdr.start < each.periodEnd);
    const named = INVOICES.find((each) => each.id === cdr.invoice && each.customer === cdr.scustomer);
    if (cdr.invoice !== 0 && (named === undefined || (cdr.update_invoices === 1 && !named.open))) continue;
    const found = cdr.update_invoices === 1 ? holding[0] : undefined;
    const invoice = cdr.invoice === 0 ? found : named;

    const applied =
      cdr.taxes === '' ? [] : cdr.taxes.split(',').flatMap((id) => modelTaxes[Number(id) - 1] ?? []);
    const toward = (currency: string) =>
      charged(cdr.cost, applied, {
        system: rates.USD ?? '',
        call: rates[cdr.currency] ?? '',
        target: rates[currency] ?? '',
      });
    const here = toward(CURRENCY_OF.get(cdr.scustomer) ?? '');
    const there = toward(invoice?.currency ?? 'USD');
    const balance = cdr.update_balance === 1 ? here.cost + here.taxThere : 0n;
    const billed = cdr.update_invoices === 1 && invoice !== undefined;
    const [cost, tax] = billed ? [there.cost, there.taxThere] : [0n, 0n];
    const amounts = [here.tax, balance, cost, tax];
    if (amounts.some((each) => each >= LIMIT || each <= -LIMIT)) continue;
    post(sums, `tax ${cdr.uniqueid}`, here.tax);
    post(sums, `customer ${cdr.scustomer}`, balance);
    post(sums, `invoice ${invoice?.id ?? null} cost`, cost);
    post(sums, `invoice ${invoice?.id ?? null} tax`, tax);
  }
  return written(sums);
}

it('calls in any order, repeated at will, in any batches, move what the rules say, to the last digit', () => {
  fuzz(
    fc.property(arrivals, terms, ([cdrs, one, other], rules) => {
      const expected = modelled(cdrs, rules);
      expect(persisted(cdrs, one, rules)).toEqual(expected);
      expect(persisted(cdrs, other, rules)).toEqual(expected);
    }),
  );
});

it('debits and credits of the same calls leave nothing behind', () => {
  fuzz(
    fc.property(arrivals, terms, ([cdrs], rules) => {
      const credits = cdrs.map((cdr) => ({
        ...cdr,
        uniqueid: `${cdr.uniqueid}-credit`,
        cost: cdr.cost.startsWith('-') ? cdr.cost.slice(1) : `-${cdr.cost}`,
      }));
      const both = [...cdrs, ...credits].filter(({ cost }) => !/^-?0\.0*$/.test(cost));
      const left = persisted(both, [[...both.keys()], 5], rules);
      const moved = Object.entries(left).filter(([account]) => !account.startsWith('tax'));
      for (const [, sum] of moved) expect(sum).toBe('0');
    }),
  );
});
