import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Bill, billFor } from '../../src/domain/bill.ts';
import { billedMessagesOf } from '../../src/domain/billed-message.ts';
import { nothingHeld } from '../../src/domain/held.ts';
import type { Outcome } from '../../src/domain/outcome.ts';
import { attemptsOn } from '../../src/store/persist/attempts.ts';
import { lookUp } from '../../src/store/persist/look-up.ts';
import { persist } from '../../src/store/persist/persist.ts';
import type { Sql } from '../../src/store/sql.ts';
import { createReply } from '../../src/worker/reply.ts';
import { REPLY_RULES } from '../simulation/lane.ts';
import { BILLING } from '../support/billing.ts';
import { type Asked, asked } from '../support/correcting.ts';
import { admitted, type BillingDatabase, billingDatabase, type Parameters } from '../support/persisting.ts';
import { NO_PROPERTIES } from '../support/requests.ts';

let db: BillingDatabase;

beforeAll(async () => {
  db = await billingDatabase('bills');
});

afterAll(async () => {
  await db?.drop();
});

beforeEach(async () => {
  await db.execute('truncate cdrs, past_calls, corrections');
});

function billOf(outcome: Outcome | undefined): Bill | undefined {
  if (outcome?.kind === 'accepted') return billFor(outcome.stored);
  return outcome?.kind === 'duplicate' ? outcome.bill : undefined;
}

/** What a reply tells beside its uniqueid. */
function toldBy(outcome: Outcome | undefined) {
  if (outcome === undefined) throw new Error('no outcome');
  const { uniqueid, ...told } = createReply(NO_PROPERTIES, 'u', outcome, REPLY_RULES).headers;
  return told;
}

/** The names of the statements that work sends. */
async function statementsOf(work: (sql: Sql) => Promise<unknown>): Promise<string[]> {
  const names: string[] = [];
  await work((statement, values) => {
    names.push(statement.name);
    return db.sql(statement, values);
  });
  return names;
}

/** Customer 1 has USD and an open invoice in EUR, 2 has EUR and none for these calls. */
const CALLS: [string, Parameters, Record<string, unknown>][] = [
  [
    'on an invoice in another currency',
    { cost: '12.50', taxes: 'VAT,fee', currency: 'EUR' },
    { charged: '16.810678', currency: 'USD', tax: '2.965823', invoice: 10 },
  ],
  ['on no invoice', { scustomer: 2, cost: '1' }, { charged: '0.92', currency: 'EUR', tax: '0' }],
  [
    'that is a credit',
    { cost: '-3', taxes: '2' },
    { charged: '-3.05', currency: 'USD', tax: '-0.05', invoice: 10 },
  ],
  [
    'that moves no balance',
    { cost: '3', taxes: 'VAT', update_balance: 0 },
    { charged: '0', currency: 'USD', tax: '0.6', invoice: 10 },
  ],
  [
    'that names an invoice and moves none',
    { cost: '3', invoice: 11, update_invoices: 0 },
    { charged: '3', currency: 'USD', tax: '0', invoice: 11 },
  ],
  ['that costs nothing', { cost: '0' }, { charged: '0', currency: 'USD', tax: '0', invoice: 10 }],
];

describe('the reply to a stored call', () => {
  it.each(CALLS)('%s tells what was charged, now, within the batch and ever after', async (_, call, told) => {
    const [now, within] = await db.persist([call, call]);
    const [after] = await db.persist([call]);
    expect([now, within, after].map((outcome) => outcome?.kind)).toEqual([
      'accepted',
      'duplicate',
      'duplicate',
    ]);
    expect(toldBy(now)).toEqual(told);
    for (const repeat of [within, after]) {
      expect(toldBy(repeat)).toEqual({ ...told, duplicate: true });
      expect(billOf(repeat)).toEqual(billOf(now));
    }
  });

  it('tells it where another worker stored the call meanwhile', async () => {
    const submission = admitted({ cost: '2' });
    if (submission.kind !== 'call') throw new Error('expected a call');
    const before = await lookUp(db.sql, [submission.call], BILLING);
    await db.persist([{ cost: '2' }]);
    const [outcome] = await persist(db.sql, [submission], BILLING, before);
    expect(toldBy(outcome)).toEqual({
      charged: '2',
      currency: 'USD',
      tax: '0',
      invoice: 10,
      duplicate: true,
    });
  });

  it('tells nothing of a call that has been pruned', async () => {
    await db.persist([{}]);
    await db.execute('insert into past_calls select uniqueid, fingerprint from cdrs');
    await db.execute('delete from cdrs');
    const [outcome] = await db.persist([{}]);
    expect(outcome).toEqual({ kind: 'duplicate' });
    expect(toldBy(outcome)).toEqual({ duplicate: true });
  });

  it('asks the database for bills once a batch, and only of calls that were stored before', async () => {
    const [one, two] = [{ uniqueid: 'a' }, { uniqueid: 'b' }];
    const first = await statementsOf((sql) => db.persist([one, two, one], sql));
    const again = await statementsOf((sql) => db.persist([one, two, one, { uniqueid: 'c' }], sql));
    expect({ first, again }).toEqual({
      first: ['persist.look-up', 'persist.write-calls'],
      again: ['persist.look-up', 'persist.bills', 'persist.write-calls'],
    });
  });
});

describe('a correction', () => {
  const told = async (one: Asked) => {
    const [outcome] = await persist(db.sql, [asked(one)], BILLING);
    return outcome === undefined
      ? []
      : billedMessagesOf(outcome).map(({ body }) => JSON.parse(body) as object);
  };

  it('is told entry by entry, so that the amounts of all add up to what was moved; the call by what it was charged first', async () => {
    await db.persist([{ cost: '5' }]);
    const first = { id: 'first', changes: { cost: '3', customer: 2 } };
    const entry = (id: string, customer: number, charged: string, repeat: boolean) =>
      expect.objectContaining({ uniqueid: 'u-1', entry: id, customer, charged, repeat });
    expect(await told(first)).toEqual([
      entry('first#reversal', 1, '-5', false),
      entry('first', 2, '2.76', false),
    ]);
    expect(await told({ id: 'second', changes: { messages: 4 } })).toEqual([entry('second', 2, '0', false)]);
    expect(await told(first)).toEqual([
      entry('first#reversal', 1, '-5', true),
      entry('first', 2, '2.76', true),
    ]);
    expect(await told({ id: 'third' })).toEqual([entry('third', 2, '-2.76', false)]);
    const [again] = await db.persist([{ cost: '5' }]);
    expect(toldBy(again)).toMatchObject({ charged: '5', currency: 'USD', invoice: 10, duplicate: true });
  });
});

describe('the bill of a repeat', () => {
  const REPEAT_AND_NEW = [{ uniqueid: 'u-before' }, { uniqueid: 'u-new' }].map(admitted);
  const kindsOf = (results: readonly { kind: string }[]) => results.map(({ kind }) => kind);

  it('is read while the rest of its batch is written', async () => {
    await db.persist([{ uniqueid: 'u-before' }]);
    let onWrite = () => {};
    const writing = new Promise<void>((resolve) => {
      onWrite = resolve;
    });
    const sql: Sql = async (statement, values) => {
      if (statement.name === 'persist.write-calls') onWrite();
      if (statement.name === 'persist.bills') await writing;
      return await db.sql(statement, values);
    };
    const { plain } = attemptsOn({ ...db, sql }, BILLING, 5000);
    const results = await plain(REPEAT_AND_NEW, nothingHeld);
    expect(kindsOf(results)).toEqual(['duplicate', 'accepted']);
    expect(results[0]).toHaveProperty('bill.uniqueid', 'u-before');
  });

  it('that cannot be read fails its batch when that is written, not before', async () => {
    await db.persist([{ uniqueid: 'u-before' }]);
    const sql: Sql = async (statement, values) => {
      if (statement.name === 'persist.bills') throw new Error('no bills');
      return await db.sql(statement, values);
    };
    const { plain } = attemptsOn({ ...db, sql }, BILLING, 5000);
    await expect(plain(REPEAT_AND_NEW, nothingHeld)).rejects.toThrow('no bills');
    expect(await db.rows('select uniqueid from cdrs order by 1')).toEqual([
      { uniqueid: 'u-before' },
      { uniqueid: 'u-new' },
    ]);
  });

  it('is read before the write within a transaction, which has one connection', async () => {
    await db.persist([{ uniqueid: 'u-before' }]);
    let underWay = 0;
    const transaction: typeof db.transaction = (work, options) =>
      db.transaction(
        (inner) =>
          work(async (statement, values) => {
            underWay += 1;
            expect(underWay).toBe(1);
            return await inner<never>(statement, values).finally(() => {
              underWay -= 1;
            });
          }),
        options,
      );
    const { limited } = attemptsOn({ sql: db.sql, transaction }, BILLING, 5000);
    const results = await limited({ lock_timeout: 1000 })(REPEAT_AND_NEW, nothingHeld);
    expect(kindsOf(results)).toEqual(['duplicate', 'accepted']);
  });
});
