import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Amount, amount, convert, plain, taxOn, ZERO } from '../../src/domain/money.ts';
import { Random } from '../simulation/random.ts';
import { correct, expectConserved, keepOpeningBalances } from '../support/correcting.ts';
import { type BillingDatabase, billingDatabase } from '../support/persisting.ts';

/**
 * A random walk: calls are stored, corrected, voided, while rates move and invoices close. An independent model knows only what each
 * call costs whom by now; what customers were charged and how many calls they have must be its sums, however it came to that.
 */

const STEPS = 250;
const CURRENCIES = ['USD', 'EUR', 'GBP', 'JPY'] as const;
const TAXES: Record<string, { percent: string; flat: string; currency: string | null }> = {
  VAT: { percent: '20', flat: '0', currency: null },
  levy: { percent: '0', flat: '0.05', currency: null },
  fee: { percent: '0', flat: '0.4', currency: 'GBP' },
};

interface ModelCall {
  customer: number;
  cost: string;
  currency: string;
  taxes: string;
  charged: Amount;
  isVoided: boolean;
  isCounted: boolean;
}

let db: BillingDatabase;
beforeAll(async () => {
  db = await billingDatabase('corrections-walk');
  await keepOpeningBalances(db);
});
afterAll(() => db?.drop());

it('however calls are corrected while rates move and invoices close, customers are charged what is in force', async () => {
  const random = new Random(20_261_128);
  const below = (limit: number) => random.between(0, limit - 1);
  const pick = <Value>(values: readonly Value[]): Value => {
    const value = values[below(values.length)];
    if (value === undefined) throw new Error('nothing to pick from');
    return value;
  };
  const rates = new Map<string, Amount>([
    ['USD', amount('1')],
    ['EUR', amount('0.92')],
    ['GBP', amount('0.79')],
    ['JPY', amount('151.4')],
  ]);
  const rate = (code: string | null) => rates.get(code ?? 'USD') ?? ZERO;
  const currencyOf = [null, 'USD', 'EUR', 'JPY'];
  const calls = new Map<string, ModelCall>();
  const chargeOf = ({
    customer,
    cost,
    currency,
    taxes,
  }: Omit<ModelCall, 'charged' | 'isVoided' | 'isCounted'>) => {
    const tax = taxes
      .split(',')
      .filter((name) => name !== '')
      .map((name) => {
        const { percent = '0', flat = '0', currency: ofFlat = null } = TAXES[name] ?? {};
        return taxOn(amount(cost), amount(percent), amount(flat), rate(currency), rate(ofFlat));
      })
      .reduce((sum, part) => sum.plus(part), ZERO);
    const into = rate(currencyOf[customer] ?? null);
    return convert(amount(cost), rate(currency), into).plus(convert(tax, rate(currency), into));
  };
  const cost = () => `${below(40) - 10}.${below(1_000_000)}`;
  const taxes = () => pick(['', 'VAT', 'levy,VAT', 'fee', 'VAT,levy,fee']);

  for (let step = 0; step < STEPS; step += 1) {
    const dice = below(20);
    if (dice < 5 || calls.size === 0) {
      const uniqueid = `w-${step}`;
      const call = {
        customer: 1 + below(3),
        cost: cost(),
        currency: pick(CURRENCIES),
        taxes: taxes(),
      };
      const isCounted = below(6) > 0;
      const invoiced = below(6) > 0;
      await db.persist([
        {
          ...{
            uniqueid,
            scustomer: call.customer,
            cost: call.cost,
            currency: call.currency,
            taxes: call.taxes,
          },
          ...{ start: 1_700_000_000 + below(200_000) },
          ...{ update_balance: isCounted ? 1 : 0, update_invoices: invoiced ? 1 : 0 },
        },
      ]);
      calls.set(uniqueid, {
        ...call,
        isCounted,
        isVoided: false,
        charged: isCounted ? chargeOf(call) : ZERO,
      });
    } else if (dice === 5) {
      const code = pick(['EUR', 'GBP', 'JPY']);
      const moved = amount(`${1 + below(300)}`).times(amount('0.01'));
      rates.set(code, moved);
      await db.execute(`update currencies set rate = ${plain(moved)} where code = '${code}'`);
    } else if (dice === 6) {
      await db.execute(`update invoices set status = case status when 'open' then 'closed' else 'open' end
        where id = (select id from invoices order by id offset ${below(3)} limit 1)`);
    } else if (dice === 7) {
      await db.execute(`insert into invoices (id, customer, currency, period_start, period_end) values
        (${1000 + step}, ${1 + below(3)}, '${pick(CURRENCIES)}', to_timestamp(1700000000), to_timestamp(1700100000))`);
    } else {
      const uniqueid = pick([...calls.keys()]);
      const call = calls.get(uniqueid);
      if (call === undefined) continue;
      if (dice === 8) {
        expect(await correct(db, { id: `s-${step}`, uniqueid })).toEqual([
          call.isVoided ? 'rejected uniqueid' : 'booked',
        ]);
        calls.set(uniqueid, { ...call, isVoided: true, charged: ZERO });
        continue;
      }
      const changes = {
        ...(below(2) === 0 && { cost: cost() }),
        ...(below(3) === 0 && { currency: pick(CURRENCIES) }),
        ...(below(3) === 0 && { taxes: taxes() }),
        ...(below(3) === 0 && { customer: 1 + below(3) }),
      };
      const isMoney = Object.keys(changes).length > 0;
      const asked = { id: `s-${step}`, uniqueid, changes: { messages: step, ...changes } };
      const isRepeated = below(4) === 0;
      const results = await correct(db, asked, ...(isRepeated ? [asked] : []));
      expect(results[0]).toBe(call.isVoided ? 'rejected uniqueid' : 'booked');
      if (isRepeated && !call.isVoided) expect(results[1]).toBe('duplicate');
      if (call.isVoided || !isMoney) continue;
      const now = { ...call, ...changes };
      calls.set(uniqueid, { ...now, charged: call.isCounted ? chargeOf(now) : ZERO });
    }
  }

  const due = [1, 2, 3].map((id) => {
    const own = [...calls.values()].filter(({ customer }) => customer === id);
    const counted = own.filter(({ isVoided, isCounted }) => isCounted && !isVoided);
    return {
      id: String(id),
      charged: plain(own.reduce((sum, { charged }) => sum.plus(charged), ZERO)),
      calls: String(counted.length),
    };
  });
  expect(
    await db.rows(
      'select id::text, trim_scale(charged)::text as charged, calls::text from customers order by id',
    ),
  ).toEqual(due);
  await expectConserved(db);
  // Nothing is late twice, and every entry but the first follows another of its call.
  expect(
    await db.rows(`select id from corrections e where follows <> '' and not exists (
      select from corrections p where p.id = e.follows and p.uniqueid = e.uniqueid)`),
  ).toEqual([]);
  expect(
    await db.rows(`select kind, count(*)::text from corrections group by kind order by kind`),
  ).toMatchObject([{ kind: 'new' }, { kind: 'reversing' }]);
}, 120_000);
