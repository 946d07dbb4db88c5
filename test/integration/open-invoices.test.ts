import { Client } from 'pg';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { BillingRules } from '../../src/domain/charge.ts';
import { responsesTo } from '../../src/domain/reply.ts';
import { sqlStateOf } from '../../src/store/failures.ts';
import { persist } from '../../src/store/persist/persist.ts';
import { lockedRows } from '../../src/store/persist/row-locks.ts';
import { pagesOfCalls, prunePages } from '../../src/store/prune.ts';
import { reconcile } from '../../src/store/reconcile.ts';
import type { Sql, Statement } from '../../src/store/sql.ts';
import { BILLING } from '../support/billing.ts';
import { until } from '../support/broker.ts';
import { openOperatorSite } from '../support/operators.ts';
import {
  admitted,
  type BillingDatabase,
  between,
  billingDatabase,
  type Parameters,
} from '../support/persisting.ts';
import { startProcess } from '../support/worker.ts';

const DRAFTS: BillingRules = { ...BILLING, openStatuses: ['draft', 'approved'] };

describe('an invoice whose status is one of OPEN_INVOICE_STATUSES', () => {
  let db: BillingDatabase;
  beforeEach(async () => {
    db = await billingDatabase('open-invoices');
    await db.execute(`update invoices set status = 'draft' where id in (10, 20)`);
    await db.execute(`update invoices set status = 'sent' where id = 11`);
  });
  afterEach(() => db.drop());

  const persisted = (call: Parameters, through: Sql = db.sql, rules = DRAFTS) =>
    persist(through, [admitted({ cost: '1', ...call })], rules);
  const invoiceOf = async (uniqueid: string) =>
    (await db.rows(`select invoice::text from cdrs where uniqueid = '${uniqueid}'`))[0]?.invoice;

  it('takes the calls of its period, and those that name it', async () => {
    expect(await persisted({ uniqueid: 'u-1' })).toMatchObject([{ kind: 'accepted' }]);
    await db.execute(`update invoices set status = 'approved' where id = 10`);
    expect(await persisted({ uniqueid: 'u-2', invoice: 10 })).toMatchObject([{ kind: 'accepted' }]);
    expect(await invoiceOf('u-1')).toBe('10');
    expect(await db.rows('select calls::text, cost::text from invoices where id = 10')).toEqual([
      { calls: '2', cost: '1.840000' },
    ]);
    expect((await reconcile(db)).proofs.filter(({ drift }) => drift > 0)).toEqual([]);
  });

  it('is the only one that does: any other word is as good as closed', async () => {
    for (const status of ['sent', 'open', 'Draft', 'draft ', '']) {
      await db.execute(`update invoices set status = '${status}' where id = 10`);
      const uniqueid = `u-${status}`;
      expect(await persisted({ uniqueid })).toMatchObject([{ kind: 'accepted' }]);
      expect(await invoiceOf(uniqueid)).toBeNull();
      const [outcome] = await persisted({ uniqueid: `named-${status}`, invoice: 10 });
      expect(outcome && responsesTo(outcome)).toMatchObject([
        { code: '400', key: 'invoice', message: 'invoice 10 is not open' },
      ]);
    }
  });

  it('still takes the call where its status has moved to another of these words meanwhile', async () => {
    const approve = () => db.execute(`update invoices set status = 'approved' where id = 10`);
    expect(await persisted({}, between(db.sql, approve))).toMatchObject([{ kind: 'accepted' }]);
    expect(await invoiceOf('u-1')).toBe('10');
  });

  it('is noticed by the statement that writes where it was closed or opened meanwhile', async () => {
    const send = () => db.execute(`update invoices set status = 'sent' where id = 10`);
    const draft = () => db.execute(`update invoices set status = 'draft' where id = 10`);
    for (const change of [send, draft]) {
      const failure = await persisted({}, between(db.sql, change)).catch((error: unknown) => error);
      expect(sqlStateOf(failure)).toBe('CDR01');
    }
    expect(await db.rows('select from cdrs')).toEqual([]);
  });

  it.each([
    ['sent', 'CDR01'],
    ['approved', 'stored'],
  ])('that becomes %s in a transaction that the call has to wait for: %s', async (status, expected) => {
    const client = new Client({ connectionString: db.databaseUrl });
    await client.connect();
    await client.query('begin');
    await client.query(`update invoices set status = '${status}' where id = 10`);
    const waiting = persisted({}).then(
      () => 'stored',
      (error: unknown) => sqlStateOf(error),
    );
    const waits = `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`;
    await until(async () => (await db.rows(waits)).length > 0);
    await client.query('commit');
    await client.end();
    expect(await waiting).toBe(expected);
  });

  it('is the row that a call waits for where somebody has locked it', async () => {
    const client = new Client({ connectionString: db.databaseUrl });
    await client.connect();
    await client.query('begin');
    await client.query('select from invoices for update');
    const ofOne = { customers: [], invoiced: [1], invoices: [], deadLetters: [] };
    const locked = await lockedRows(db.sql, { ...ofOne, openStatuses: DRAFTS.openStatuses });
    await client.end();
    expect(locked.map(({ of, id }) => `${of} ${id}`)).toEqual(['invoice 10']);
  });

  it('keeps its calls from being pruned', async () => {
    await persisted({ uniqueid: 'draft' });
    await persisted({ uniqueid: 'sent', start: 1, end: 1 });
    const pruned = async (isDryRun: boolean, openStatuses: readonly string[]) =>
      prunePages(db.sql, 'infinity', { from: 0, to: await pagesOfCalls(db.sql) }, isDryRun, {
        openStatuses,
        withUninvoiced: true,
      });
    expect(await pruned(true, DRAFTS.openStatuses)).toEqual({ calls: 1, kept: 1, uninvoiced: 0 });
    expect(await pruned(true, ['open'])).toEqual({ calls: 2, kept: 0, uninvoiced: 0 });
    expect(await pruned(false, DRAFTS.openStatuses)).toEqual({ calls: 1, kept: 1, uninvoiced: 0 });
    expect(await db.rows('select uniqueid from cdrs')).toEqual([{ uniqueid: 'draft' }]);
  });
});

it('worker, dry run and prune take the words from OPEN_INVOICE_STATUSES', async () => {
  const site = await openOperatorSite('open-invoices-site', { OPEN_INVOICE_STATUSES: 'draft,approved' });
  await site.db.execute(`update invoices set status = 'draft' where id = 10`);
  expect(await site.submit({ uniqueid: 'u-1', invoice: 10 })).toEqual([{ code: '204', key: '' }]);
  expect(await site.submit({ uniqueid: 'u-2', invoice: 10, peer: 7 })).toMatchObject([{ code: '400' }]);
  await site.db.execute(`insert into peers (id) values (7)`);
  const becomes = async (settings: Record<string, string>) => {
    const { stdout } = await site.dead(['replay', '--key', 'peer', '--dry-run', '--json'], settings);
    return JSON.parse(stdout).rows[0].becomes;
  };
  expect(await becomes({})).toBe('accepted');
  expect(await becomes({ OPEN_INVOICE_STATUSES: 'open' })).toBe('rejected');
  await site.db.execute(`update cdrs set received_at = now() - interval '2 months'`);
  const command = await startProcess(['prune', '--months', '1', '--dry-run', '--json'], site.environment);
  expect(await command.ended).toBe(0);
  expect(JSON.parse(command.output())).toMatchObject({ calls: 0, kept: 1 });
  await site.close();
});

/** As PostgreSQL plans it when it has been prepared for long: for any values. */
async function planOf(client: Client, { text }: Statement, values: readonly unknown[]): Promise<string> {
  await client.query('set plan_cache_mode = force_generic_plan');
  await client.query(`prepare planned as ${text}`);
  const { rows } = await client.query<Record<string, string>>(
    `explain (costs off) execute planned(${values.map(() => 'null')})`,
  );
  await client.query('deallocate planned');
  return rows.map((row) => row['QUERY PLAN']).join('\n');
}

it('open invoices are found by their index, without reading those of the customer that are not open', async () => {
  const db = await billingDatabase('open-invoices-plan');
  await db.execute(`insert into invoices (id, customer, currency, period_start, period_end, status)
    select n, n % 2000, 'USD', to_timestamp(n), to_timestamp(n), case when n < 102000 then 'open' else 'paid' end
    from generate_series(100000, 160000) n`);
  await db.execute('analyze invoices');
  const asked = new Map<string, [Statement, readonly unknown[]]>();
  const noting: Sql = (statement, values) => {
    asked.set(statement.name, [statement, values]);
    return db.sql(statement, values);
  };
  await persist(noting, [admitted({ start: 1, end: 1 })], BILLING);
  const rows = { customers: [], invoiced: [1], openStatuses: ['open'], invoices: [], deadLetters: [] };
  await lockedRows(noting, rows);
  const client = new Client({ connectionString: db.databaseUrl });
  await client.connect();
  const plans = new Map<string, string>();
  for (const [name, [statement, values]] of asked) plans.set(name, await planOf(client, statement, values));
  await client.end();
  await db.drop();
  expect([...plans.keys()]).toEqual(['persist.look-up', 'persist.write-calls', 'persist.locked-rows']);
  for (const [name, plan] of plans)
    expect([name, plan]).toEqual([
      name,
      expect.stringMatching(/Index Cond: \(\(customer = .+ AND \(status = word/),
    ]);
});
