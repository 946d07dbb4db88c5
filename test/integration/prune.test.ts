import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { responsesTo } from '../../src/domain/reply.ts';
import { keepLateCalls } from '../../src/store/late/turns.ts';
import { monthsAgo, pagesOfCalls, prunePages, prunePagesInTurn } from '../../src/store/prune.ts';
import { reconcile } from '../../src/store/reconcile.ts';
import { BILLING } from '../support/billing.ts';
import { until } from '../support/broker.ts';
import { attachByHand, reverse } from '../support/entries.ts';
import { type BillingDatabase, billingDatabase } from '../support/persisting.ts';
import { startProcess } from '../support/worker.ts';

const CALLS = 600;
const RULES = { openStatuses: BILLING.openStatuses, withUninvoiced: true };
/** The largest `start` that the contract takes: the last second of the year 9999. */
const FAR_FUTURE = 253_402_300_799;

let db: BillingDatabase;
beforeAll(async () => {
  db = await billingDatabase('prune');
  await db.persist(calls(0, CALLS));
});
afterAll(() => db?.drop());

const costs = ['0.000001', '1.5', '-0.333333', '0', '12.345678', '-7'];

function calls(from: number, to: number) {
  return Array.from({ length: to - from }, (_, index) => ({
    uniqueid: `p-${from + index}`,
    cost: costs[index % 6] ?? '0',
    taxes: ['', '1', '2', '1,2'][index % 4] ?? '',
    scustomer: 1 + (index % 3),
    update_balance: index % 11 === 0 ? 0 : 1,
    update_invoices: index % 5 === 0 ? 0 : 1,
  }));
}

/** Makes calls as old as if they had been received so many months ago. */
const age = (months: number, condition: string) =>
  db.execute(`update cdrs set received_at = now() - interval '${months} months' where ${condition}`);

const numberOf = (uniqueid: string) => `substring(${uniqueid} from 3)::int`;

async function prune(...args: string[]) {
  const command = await startProcess(['prune', '--uninvoiced', ...args], { DATABASE_URL: db.databaseUrl });
  const code = await command.ended;
  return { code, output: command.output() };
}

/** What balances and invoices show, and what `reconcile` says of it. */
async function books() {
  const customers = await db.rows(
    'select id::text, balance::text, charged::text, calls::text from customers order by id',
  );
  const invoices = await db.rows('select id::text, calls::text, total::text from invoices order by id');
  const { proofs, uninvoiced } = await reconcile(db);
  return {
    customers,
    invoices,
    uninvoiced,
    drift: proofs.flatMap(({ claim, drift }) => (drift > 0 ? [claim] : [])),
  };
}

describe('prune', () => {
  it('changes nothing when it only counts', async () => {
    await db.execute(`update invoices set status = 'closed'`);
    await age(14, `${numberOf('uniqueid')} < 400`);
    const before = await books();
    expect(before.drift).toEqual([]);
    const { code, output } = await prune('--months', '13', '--dry-run', '--json');
    expect({ code, ...JSON.parse(output) }).toMatchObject({ code: 0, calls: 400, kept: 0 });
    expect(await db.rows('select count(*)::text from cdrs')).toEqual([{ count: String(CALLS) }]);
    expect(await books()).toEqual(before);
  });

  it('takes out what is old enough, and every sum stays what it was', async () => {
    const before = await books();
    expect(before.uninvoiced.length).toBeGreaterThan(0);
    expect(await prune('--months', '13')).toMatchObject({
      code: 0,
      output: expect.stringMatching(/^400 calls .* pruned$/m),
    });
    expect(await db.rows('select count(*)::text from cdrs')).toEqual([{ count: '200' }]);
    expect(await books()).toEqual(before);
    expect(await prune('--months', '13')).toMatchObject({ output: expect.stringMatching(/^0 calls/) });
  });

  it('does not hide a later drift', async () => {
    await db.execute(`update past_sums set charged = charged + 0.000001 where of = 'customer' and key = '1'`);
    expect((await books()).drift).toEqual([expect.stringContaining('each customer')]);
    await db.execute(`update past_sums set charged = charged - 0.000001 where of = 'customer' and key = '1'`);
    expect((await books()).drift).toEqual([]);
  });

  it('leaves a uniqueid taken: the same call again is a duplicate and moves nothing', async () => {
    const before = await books();
    const again = calls(0, CALLS).slice(0, 50);
    expect(new Set((await db.persist(again)).map(({ kind }) => kind))).toEqual(new Set(['duplicate']));
    const asked = again.map((call) => ({ ...call, validation: 1 }));
    expect(new Set((await db.persist(asked)).map(({ kind }) => kind))).toEqual(new Set(['validated']));
    expect(await books()).toEqual(before);
  });

  it('answers other content under such a uniqueid as a conflict, though nobody can say in what it differs', async () => {
    const before = await books();
    const [outcome] = await db.persist([{ uniqueid: 'p-0', cost: '99', scustomer: 1 }]);
    expect(outcome).toEqual({ kind: 'conflict', differences: [] });
    expect(outcome && responsesTo(outcome)).toEqual([
      { code: '400', key: 'uniqueid', message: 'already stored with different content' },
    ]);
    expect(await books()).toEqual(before);
  });

  it('goes by when a call was received, so that one whose start is far in the future breaks nothing', async () => {
    await db.persist([
      { uniqueid: 'p-9001', start: FAR_FUTURE, end: FAR_FUTURE, scustomer: 1, cost: '3' },
      { uniqueid: 'p-9002', start: 0, end: 0, scustomer: 1, cost: '4' },
    ]);
    expect(await prune('--months', '13')).toMatchObject({ output: expect.stringMatching(/^0 calls/) });
    await age(14, `uniqueid in ('p-9001', 'p-9002')`);
    expect(await prune('--months', '13')).toMatchObject({ output: expect.stringMatching(/^2 calls/) });
    expect((await books()).drift).toEqual([]);
  });

  it('leaves a call until its invoice is closed', async () => {
    await db.execute(`update invoices set status = 'open' where id = 10`);
    await db.persist([{ uniqueid: 'p-9003', scustomer: 1, invoice: 10, cost: '5' }]);
    await age(14, `uniqueid = 'p-9003'`);
    const { output } = await prune('--months', '13', '--json');
    expect(JSON.parse(output)).toMatchObject({ calls: 0, kept: 1 });
    await db.execute(`update invoices set status = 'closed' where id = 10`);
    expect(await prune('--months', '13')).toMatchObject({
      output: expect.stringMatching(/^1 call received/),
    });
    expect((await books()).drift).toEqual([]);
  });

  it.each(['0', '-1', '1.5', 'all'])('takes no "%s" for a number of months', async (months) => {
    expect(await prune('--months', months)).toMatchObject({ code: 2 });
  });

  it('killed at any moment it has taken whole spans or nothing, and running it again finishes', async () => {
    await db.persist(calls(10_000, 13_000));
    await age(14, `${numberOf('uniqueid')} >= 10000`);
    const before = await books();
    const command = await startProcess(['prune', '--uninvoiced', '--months', '13'], {
      DATABASE_URL: db.databaseUrl,
    });
    for (;;) {
      const [row] = await db.rows(
        `select count(*)::text from past_calls where ${numberOf('uniqueid')} >= 10000`,
      );
      if (Number(row?.count) > 0) break;
    }
    command.child.kill('SIGKILL');
    await command.ended;
    expect(await books()).toEqual(before);
    expect(await prune('--months', '13')).toMatchObject({ code: 0 });
    expect(await books()).toEqual(before);
    const [left] = await db.rows(`select count(*)::text from cdrs where ${numberOf('uniqueid')} >= 10000`);
    expect(left).toEqual({ count: '0' });
  });

  it('beside ingestion: new calls come in, old ones sent again are duplicates, nothing is counted twice', async () => {
    await db.persist(calls(20_000, 21_000));
    await age(14, `${numberOf('uniqueid')} between 20000 and 20999`);
    const cutoff = await monthsAgo(db.sql, 13);
    let isPruning = true;
    const pruning = (async () => {
      const pages = await pagesOfCalls(db.sql);
      let gone = 0;
      for (let from = 0; from < pages; from += 4)
        gone += (await prunePages(db.sql, cutoff, { from, to: from + 4 }, false, RULES)).calls;
      isPruning = false;
      return gone;
    })();
    const kinds = new Set<string>();
    let stored = 0;
    for (let round = 0; isPruning; round += 1) {
      const again = calls(20_000, 21_000).filter((_, index) => index % 10 === round % 10);
      for (const { kind } of await db.persist(again)) kinds.add(kind);
      const fresh = calls(30_000 + round * 20, 30_020 + round * 20);
      stored += (await db.persist(fresh)).filter(({ kind }) => kind === 'accepted').length;
    }
    expect(await pruning).toBe(1000);
    expect(kinds).toEqual(new Set(['duplicate']));
    expect(stored).toBeGreaterThan(0);
    expect((await books()).drift).toEqual([]);
  });
});

describe('prune and corrections', () => {
  let own: BillingDatabase;
  beforeAll(async () => {
    own = await billingDatabase('prune-corrections');
    const late = { start: 1, end: 1 };
    await own.execute(`insert into invoices (id, customer, currency, period_start, period_end)
      values (12, 1, 'EUR', to_timestamp(1800000000), to_timestamp(1800001000))`);
    await own.persist(
      ['plain', 'late', 'attached', 'taken-back', 'late-reversal', 'on-open'].map((uniqueid) => ({
        ...(uniqueid === 'late' || uniqueid === 'attached' || uniqueid === 'taken-back' ? late : {}),
        uniqueid,
        cost: '1',
      })),
    );
    await attachByHand(own, { id: 'a', uniqueid: 'attached', late: '', follows: '' });
    await reverse(own, { id: 'b', uniqueid: 'taken-back', late_entry: '' });
    const onNone = { invoice: null, invoice_cost: 0, invoice_tax: 0, invoice_calls: 0 };
    await reverse(own, { id: 'c', uniqueid: 'late-reversal', ...onNone, late: true });
    await reverse(own, { id: 'd', uniqueid: 'on-open', invoice: 12 });
    await own.execute(`update invoices set status = 'closed' where id = 10`);
  });
  afterAll(() => own?.drop());

  const pruned = async (isDryRun: boolean, withUninvoiced: boolean) =>
    prunePages(own.sql, 'infinity', { from: 0, to: await pagesOfCalls(own.sql) }, isDryRun, {
      ...RULES,
      withUninvoiced,
    });
  const uniqueids = async () =>
    (await own.rows('select uniqueid from cdrs order by 1')).map((row) => row.uniqueid);
  const state = async () => {
    const { proofs, uninvoiced } = await reconcile(own);
    return { wrong: proofs.filter(({ drift }) => drift > 0), uninvoiced };
  };

  it('keeps what no invoice took and what has a correction on an open one; sums and what is uninvoiced stay', async () => {
    const before = await state();
    expect(before).toEqual({
      wrong: [],
      uninvoiced: [{ currency: 'USD', calls: 1, corrections: 1, cost: '0.000000', tax: '0.000000' }],
    });
    const expected = { calls: 3, kept: 1, uninvoiced: 2 };
    expect(await pruned(true, false)).toEqual(expected);
    expect(await pruned(false, false)).toEqual(expected);
    expect(await uniqueids()).toEqual(['late', 'late-reversal', 'on-open']);
    expect(await state()).toEqual(before);
    expect(await own.rows('select count(*)::text from corrections')).toEqual([{ count: '4' }]);
  });

  it('with uninvoiced ones it takes these too, and they are reported as before', async () => {
    const before = await state();
    expect(await pruned(true, true)).toEqual({ calls: 2, kept: 1, uninvoiced: 0 });
    expect(await pruned(false, true)).toEqual({ calls: 2, kept: 1, uninvoiced: 0 });
    expect(await uniqueids()).toEqual(['on-open']);
    expect(await state()).toEqual(before);
    await own.execute(`update invoices set status = 'closed' where id = 12`);
    expect(await pruned(false, false)).toEqual({ calls: 1, kept: 0, uninvoiced: 0 });
    expect(await state()).toEqual(before);
  });

  it('late calls are not pruned while any are attached', async () => {
    await own.persist([{ uniqueid: 'in-turn', cost: '1', start: 1, end: 1 }]);
    let attach = () => {};
    const attached = new Promise<void>((resolve) => {
      attach = resolve;
    });
    const attaching = own.transaction(
      async (sql) => {
        await keepLateCalls(sql);
        await attached;
        const row = { id: 'e', uniqueid: 'in-turn', late: '', follows: '' };
        await attachByHand({ ...own, execute: (text) => sql({ name: 'test.attach', text }, []) }, row);
      },
      { timeoutMs: 20_000 },
    );
    const waits = `select from pg_stat_activity where datname = current_database() and wait_event = 'advisory'`;
    const span = { from: 0, to: await pagesOfCalls(own.sql) };
    const pruning = prunePagesInTurn(own, 'infinity', span, RULES);
    await until(async () => (await own.rows(waits)).length > 0);
    const before = await state();
    attach();
    await attaching;
    expect(await pruning).toMatchObject({ calls: 1 });
    const countOf = ({ uninvoiced }: typeof before) => uninvoiced.map(({ calls }) => calls);
    expect([countOf(before), countOf(await state())]).toEqual([[2], [1]]);
  });
});
