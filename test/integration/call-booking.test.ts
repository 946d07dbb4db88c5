import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runInProcess } from '../support/in-process.ts';
import { type OperatorSite, openOperatorSite } from '../support/operators.ts';

let site: OperatorSite;

beforeAll(async () => {
  site = await openOperatorSite('call-booking');
  await site.db.execute(`insert into invoices (id, customer, currency, period_start, period_end, status) values
    (12, 1, 'USD', now() - interval '1 day', now() + interval '1 day', 'open')`);
}, 300_000);

afterAll(async () => {
  await site?.close();
});

const call = (args: readonly string[], environment: Record<string, string> = {}) =>
  runInProcess(['call', ...args], { ...site.environment, ...environment });
async function callJson<Result>(args: readonly string[]): Promise<Result> {
  const { stdout, stderr } = await call([...args, '--json']);
  if (stdout === '') throw new Error(stderr);
  return JSON.parse(stdout);
}

/** What customer and invoices have by now. */
const books = () =>
  site.db.rows(`select trim_scale(balance)::text as balance, trim_scale(charged)::text as charged, calls::text,
    (select string_agg(id || ': ' || calls || ' ' || trim_scale(total), ', ' order by id) from invoices where calls <> 0) as invoices
    from customers where id = 1`);

describe('what would move', () => {
  it('is said of a void: whose balance, which invoice, and that nothing was changed', async () => {
    await site.submit({ uniqueid: 'v-1', cost: '2', taxes: '1' });
    const before = await books();
    const { stdout, code } = await call(['void', 'v-1', '--dry-run']);
    expect(code).toBe(0);
    expect(stdout).toMatch(/1 one +│ \+2\.40 USD +│ -1 /);
    expect(stdout).toMatch(/10 +│ -1\.84 EUR │ -0\.368 EUR │ -2\.208 EUR │ -1 /);
    expect(stdout).toContain('Dry run: nothing was changed.');
    expect(await books()).toEqual(before);
  });

  it('is said of a correction, with the terms of today, and where a closed invoice sends it', async () => {
    await site.submit({ uniqueid: 'v-2', cost: '2' });
    await site.db.execute(`update invoices set status = 'closed' where id = 10`);
    const preview = await callJson(['correct', 'v-2', '--set', 'cost=3', '--set', 'taxes=2', '--dry-run']);
    await site.db.execute(`update invoices set status = 'open' where id = 10`);
    expect(preview).toMatchObject({
      ...{ uniqueid: 'v-2', operation: 'update', follows: '', booked: false, dry_run: true },
      balances: [{ customer: 1, currency: 'USD', balance: '-1.05', calls: 0 }],
      invoices: [{ invoice: 12, total: '3.05', calls: 1 }],
      late: [{ customer: 1, cost: '-2', currency: 'USD' }],
      warnings: [
        expect.stringContaining('the invoice 10 is closed, and customer 1 has no open invoice'),
        expect.anything(),
      ],
    });
  });
});
