import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { BillingRules } from '../../src/domain/charge.ts';
import { sqlStateOf } from '../../src/store/failures.ts';
import { persistAndLook } from '../../src/store/persist/dry-run.ts';
import { persist } from '../../src/store/persist/persist.ts';
import { reconcile } from '../../src/store/reconcile.ts';
import type { Sql } from '../../src/store/sql.ts';
import { BILLING } from '../support/billing.ts';
import {
  admitted,
  type BillingDatabase,
  between,
  billingDatabase,
  type Parameters,
} from '../support/persisting.ts';

const NEXT: BillingRules = { ...BILLING, lateCalls: 'next' };
/** The open invoice of customer 1 covers 1,699,999,000 to 1,700,001,000. */
const BEFORE = 1_699_000_000;

describe('with LATE_CALLS=next', () => {
  let db: BillingDatabase;
  beforeEach(async () => {
    db = await billingDatabase('late-calls');
    await db.execute(`insert into invoices (id, customer, currency, period_start, period_end) values
      (31, 1, 'USD', to_timestamp(1699500000), to_timestamp(1699600000)),
      (30, 1, 'JPY', to_timestamp(1699500000), to_timestamp(1699500000)),
      (32, 1, 'USD', to_timestamp(1699500000), to_timestamp(1699600000))`);
  });
  afterEach(() => db.drop());

  const persisted = (calls: Parameters[], rules = NEXT, through: Sql = db.sql) =>
    persist(
      through,
      calls.map((call) => admitted({ cost: '1', ...call })),
      rules,
    );
  const invoices = async () =>
    (await db.rows('select uniqueid, invoice::text, invoice_late::text from cdrs order by uniqueid')).map(
      ({ uniqueid, invoice, invoice_late }) => `${uniqueid} ${invoice} ${invoice_late}`,
    );

  it('a call that no open invoice covers goes on the next one, of several the lowest id, and is marked', async () => {
    const starts = [BEFORE, 1_699_550_000, 1_699_600_000, 1_700_000_000, 1_700_001_000];
    await persisted(starts.map((start, index) => ({ uniqueid: `u-${index}`, start, end: start })));
    expect(await invoices()).toEqual([
      'u-0 31 true',
      'u-1 31 false',
      'u-2 10 true',
      'u-3 10 false',
      // No invoice begins after it.
      'u-4 null false',
    ]);
    expect((await reconcile(db)).proofs.filter(({ drift }) => drift > 0)).toEqual([]);
  });

  it('finds the next one although it begins long after every call of the batch', async () => {
    await db.execute(`update invoices set status = 'closed' where id in (31, 32)`);
    await persisted([{ start: BEFORE, end: BEFORE }]);
    expect(await invoices()).toEqual(['u-1 10 true']);
  });

  it('leaves alone a call that names its invoice or belongs on none', async () => {
    await persisted([
      { uniqueid: 'u-1', start: BEFORE, end: BEFORE, invoice: 10 },
      { uniqueid: 'u-2', start: BEFORE, end: BEFORE, update_invoices: 0 },
    ]);
    expect(await invoices()).toEqual(['u-1 10 false', 'u-2 null false']);
  });

  it('the same call again is a duplicate, whatever the rule says by then', async () => {
    await persisted([{ start: BEFORE, end: BEFORE }]);
    const again = await persisted([{ start: BEFORE, end: BEFORE }], BILLING);
    expect(again).toMatchObject([{ kind: 'duplicate' }]);
  });

  it.each([
    [
      'one that covers the call is opened',
      `update invoices set period_start = to_timestamp(1) where id = 10`,
    ],
    ['the chosen one is closed', `update invoices set status = 'closed' where id = 31`],
    ['another one comes before it', `update invoices set id = 29 where id = 32`],
  ])('the statement that writes notices where meanwhile %s', async (_, change) => {
    const call = { start: BEFORE, end: BEFORE };
    const changing = between(db.sql, () => db.execute(change));
    const failure = await persisted([call], NEXT, changing).catch((error: unknown) => error);
    expect(sqlStateOf(failure)).toBe('CDR01');
    expect(await invoices()).toEqual([]);
  });

  it('so does it where a next one is opened that was not there', async () => {
    await db.execute(`update invoices set status = 'closed' where customer = 1`);
    const changing = between(db.sql, () => db.execute(`update invoices set status = 'open' where id = 31`));
    const failure = await persisted([{ start: BEFORE, end: BEFORE }], NEXT, changing).catch(
      (error: unknown) => error,
    );
    expect(sqlStateOf(failure)).toBe('CDR01');
  });

  it('a dry run says on which invoice the call would be', async () => {
    const { moved } = await persistAndLook(
      db.sql,
      [admitted({ cost: '1', start: BEFORE, end: BEFORE })],
      NEXT,
    );
    expect(moved).toMatchObject([{ of: 'u-1', invoice: 31, uninvoiced: false, billed: '1' }]);
  });
});
