import { afterAll, beforeAll, expect, it } from 'vitest';
import { attachLate, customersIn } from '../../src/calls/attach.ts';
import { planAttaching } from '../../src/store/late/plan.ts';
import { persist } from '../../src/store/persist/persist.ts';
import { pagesOfCalls, prunePages } from '../../src/store/prune.ts';
import { reconcile } from '../../src/store/reconcile.ts';
import { millionths, plainText } from '../domain/exact-model.ts';
import { Random } from '../simulation/random.ts';
import { BILLING } from '../support/billing.ts';
import { BooksModel, type ModelCall } from '../support/books-model.ts';
import { correct } from '../support/correcting.ts';
import { admitted, type BillingDatabase, billingDatabase } from '../support/persisting.ts';

/** More with WALK_STEPS, another walk with WALK_SEED. */
const STEPS = Number(process.env.WALK_STEPS ?? 100);
const SEED = Number(process.env.WALK_SEED ?? 1);
const HOUR_MS = 3_600_000;

let db: BillingDatabase;
const model = new BooksModel();
const random = new Random(SEED);
beforeAll(async () => {
  db = await billingDatabase('books-walk');
  await db.execute('delete from invoices');
  await db.execute('update customers set balance = 0');
  for (const [index, [customer, currency]] of [
    [1, 'USD'],
    [1, 'EUR'],
    [1, 'USD'],
    [2, 'EUR'],
    [2, 'USD'],
  ].entries()) {
    const start = 1000 + (index % 3) * 1000;
    const invoice = {
      id: 10 + index,
      customer: Number(customer),
      currency: `${currency}`,
      start,
      end: start + 1000,
    };
    model.invoices.push({ ...invoice, open: true, calls: 0, cost: 0n, tax: 0n });
    await db.execute(`insert into invoices (id, customer, currency, period_start, period_end)
      values (${invoice.id}, ${customer}, '${currency}', to_timestamp(${start}), to_timestamp(${start + 1000}))`);
  }
});
afterAll(() => db.drop());

function anyOf<Item>(items: readonly Item[]): Item {
  const [first, ...others] = items;
  if (first === undefined) throw new Error('nothing to choose from');
  return random.pick([first, ...others]);
}

const plain = (text: string | null | undefined) => plainText(millionths(text ?? '0'));

/** What the database shows, as the model says it; `reconcile` proves it, and tells what is late. */
async function shown(): Promise<string[]> {
  const customers = await db.rows(
    'select id::text, charged::text, calls::text from customers where id < 3 order by customers.id',
  );
  const invoices = await db.rows(
    'select id::text, cost::text, tax::text, calls::text from invoices order by invoices.id',
  );
  const { proofs, uninvoiced } = await reconcile(db);
  return [
    ...customers.map(({ id, charged, calls }) => `customer ${id}: ${plain(charged)}, ${calls}`),
    ...invoices.map(({ id, cost, tax, calls }) => `invoice ${id}: ${plain(cost)} + ${plain(tax)}, ${calls}`),
    ...uninvoiced.map(
      ({ currency, calls, corrections, cost, tax }) =>
        `late: ${calls + corrections}, ${plain(cost)} + ${plain(tax)} ${currency}`,
    ),
    ...proofs.flatMap(({ claim, drift, examples }) =>
      drift > 0 ? [`${claim}: ${JSON.stringify(examples)}`] : [],
    ),
  ];
}

async function storeOne(number: number): Promise<string> {
  const call: ModelCall = {
    uniqueid: `w-${number}`,
    customer: random.pick([1, 1, 2]),
    cost: random.pick(['0', '1.5', '0.333333', '-2', '12345.678901']),
    currency: random.pick(['USD', 'EUR', 'GBP']),
    taxes: random.pick([[], [1], [2, 3], [1, 2]]),
    start: random.between(0, 5000),
    updateBalance: random.chance(0.9),
    updateInvoices: random.chance(0.9),
  };
  const lateCalls = random.pick(['hold', 'next'] as const);
  const parameters = {
    ...{ uniqueid: call.uniqueid, scustomer: call.customer, dcustomer: call.customer, cost: call.cost },
    ...{ currency: call.currency, taxes: call.taxes.join(','), start: call.start, end: call.start },
    update_balance: call.updateBalance ? 1 : 0,
    update_invoices: call.updateInvoices ? 1 : 0,
  };
  expect(await persist(db.sql, [admitted(parameters)], { ...BILLING, lateCalls })).toMatchObject([
    { kind: 'accepted' },
  ]);
  model.store(call, lateCalls);
  return `${call.uniqueid} is stored (${lateCalls})`;
}

async function correctOne(number: number): Promise<string> {
  if (model.calls.length === 0) return await storeOne(number);
  const call = anyOf(model.calls);
  const { uniqueid } = call;
  const customer = 3 - call.customer;
  const changes = random.pick([
    undefined,
    { cost: '7.000001' },
    { cost: '-0.5' },
    { customer },
    { messages: 3 },
  ]);
  const [answer] = await correct(db, { id: `c-${number}`, uniqueid, ...(changes && { changes }) });
  expect(answer).toBe(call.isPruned || call.isVoided ? 'rejected uniqueid' : 'booked');
  if (answer === 'booked' && changes === undefined) model.void(call);
  else if (answer === 'booked' && changes !== undefined && !('messages' in changes))
    model.update(call, changes);
  return `${uniqueid} becomes ${JSON.stringify(changes ?? 'void')}: ${answer}`;
}

async function attachSome(): Promise<string> {
  const open = model.invoices.filter((one) => one.open);
  const chosen = open.length === 0 || random.chance(0.5) ? null : anyOf(open);
  const customer = chosen?.customer ?? random.pick([null, 1, 2]);
  const invoice = chosen?.id ?? null;
  const order = { ...BILLING, customer, invoice, by: 'boss', why: 'walk' };
  const customers = customersIn(await planAttaching(db.sql, order));
  const context = { database: db, stop: new AbortController().signal, onProgress: () => undefined };
  const { attached } = await attachLate(order, customers, context);
  expect(attached).toBe(model.attach(customer, invoice));
  return `${attached} attached of ${customer} to ${invoice}`;
}

async function pruneSome(): Promise<string> {
  const withUninvoiced = random.chance(0.3);
  const rules = { openStatuses: BILLING.openStatuses, withUninvoiced };
  const pages = { from: 0, to: await pagesOfCalls(db.sql) };
  const { calls } = await prunePages(db.sql, 'infinity', pages, false, rules);
  expect(calls).toBe(model.prune(withUninvoiced));
  return `${calls} pruned`;
}

async function changeBilling(): Promise<string> {
  if (random.chance(0.3)) {
    const [code, rate] = [random.pick(['EUR', 'GBP']), random.pick(['0.9', '1.3', '0.700001'])];
    model.rates.set(code, rate);
    await db.execute(`update currencies set rate = ${rate} where code = '${code}'`);
    return `${code} is ${rate}`;
  }
  const invoice = anyOf(model.invoices);
  invoice.open = !invoice.open;
  await db.execute(
    `update invoices set status = '${invoice.open ? 'open' : 'closed'}' where id = ${invoice.id}`,
  );
  return `invoice ${invoice.id} is ${invoice.open ? 'open' : 'closed'}`;
}

it(
  'calls, corrections, attaching and pruning in any order: the books are those of the model, and proved',
  async () => {
    const steps: string[] = [];
    for (let number = 0; number < STEPS; number += 1) {
      const step = anyOf([
        ...[storeOne, storeOne, storeOne, correctOne, correctOne, correctOne],
        ...[attachSome, changeBilling, changeBilling, random.chance(0.2) ? pruneSome : storeOne],
      ]);
      steps.push(await step(number));
      expect(await shown(), `seed ${SEED}:\n${steps.slice(-30).join('\n')}`).toEqual(model.shown());
    }
  },
  HOUR_MS,
);
