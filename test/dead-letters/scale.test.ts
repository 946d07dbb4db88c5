import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readSelection } from '../../src/dead-letters/selection.ts';
import type { DeadLetterFilter } from '../../src/store/dead-letters/list.ts';
import { groupDeadLetters, pageStatement, readPage } from '../../src/store/dead-letters/list.ts';
import { readFinished } from '../../src/store/dead-letters/mark.ts';
import type { Cursor } from '../../src/store/dead-letters/sort.ts';
import { readOverview } from '../../src/store/overview.ts';
import { Throughput } from '../../src/store/throughput.ts';
import { type BillingDatabase, billingDatabase } from '../support/persisting.ts';

let db: BillingDatabase;
const COUNT = 100_000;

beforeAll(async () => {
  db = await billingDatabase('dead-letters-scale');
  await db.execute(`insert into dead_letters
      (reason, status, uniqueid, scustomer, machine, submitted_by, verified, responses, body, digest, cost, last_dead_at, first_dead_at)
    select case when n % 2000 = 0 then 'poison' else (array['rejected', 'rejected', 'conflict'])[1 + n % 3] end,
      case when n % 1000 = 0 then 'replaying' else (array['dead', 'dead', 'resolved'])[1 + n % 3] end, 'u-' || n, n % 1000, 'm-' || n % 20, 'switch', true,
      jsonb_build_array(jsonb_build_object('code', '400', 'key', (array['scustomer', 'cost', 'peer'])[1 + n % 3], 'message', 'wrong: ' || n)),
      '{"uniqueid":"u-' || n || '","machine":"m","start":1,"scustomer":1,"note":"' || repeat('x', 400) || '"}',
      sha256(('u-' || n)::bytea), n % 7, now() - n * interval '10 seconds', now() - n * interval '10 seconds'
    from generate_series(1, ${COUNT}) n`);
  await db.execute('analyze dead_letters');
});

afterAll(async () => {
  await db?.drop();
});

async function planOf(filter: DeadLetterFilter): Promise<string> {
  const { page, values } = pageStatement(filter, 50);
  const rows = await db.prisma.$queryRawUnsafe<Record<string, string>[]>(
    `explain (analyze, buffers off) ${page.text}`,
    ...values,
  );
  return rows.map((row) => row['QUERY PLAN']).join('\n');
}

describe('at 100,000 dead letters', () => {
  it.each([
    [{}, 'dead_letters_last_dead_at_id_idx'],
    [{ status: 'dead' }, 'last_dead_at_id_idx'],
    [{ status: 'resolved' }, 'last_dead_at_id_idx'],
    [{ reason: 'poison' }, 'dead_letters_reason_digest_key'],
    [{ customer: '7' }, 'dead_letters_scustomer_last_dead_at_id_idx'],
    [{ uniqueid: 'u-77' }, 'dead_letters_uniqueid_idx'],
    [{ key: 'cost' }, 'dead_letters_last_dead_at_id_idx'],
  ])('the first page of %j comes from an index, without looking at the rest', async (text, index) => {
    const plan = await planOf(readSelection(text, new Date()));
    expect(plan).toContain(index);
    expect(plan).not.toContain('Seq Scan');
    const looked = [...plan.matchAll(/Rows Removed by Filter: (\d+)/g)].map(([, rows]) => Number(rows));
    expect(looked.every((rows) => rows < 1000)).toBe(true);
    process.stdout.write(`${JSON.stringify(text)}\n${plan}\n`);
  });

  it('a late page is as cheap as the first', async () => {
    let after: Cursor | undefined;
    for (let page = 0; page < 3; page += 1)
      ({ next: after } = await readPage(db.sql, { statuses: ['dead'] }, 20_000, { after }));
    const { page, values } = pageStatement({ statuses: ['dead'] }, 50, { after });
    const plan = await db.prisma.$queryRawUnsafe(`explain ${page.text}`, ...values);
    expect(JSON.stringify(plan)).toMatch(/Index Cond: \(.*ROW\(last_dead_at, id\) </);
  });

  it('grouping by reason, key and customer takes seconds', async () => {
    for (const field of ['reason', 'key', 'customer', 'day'] as const) {
      const started = performance.now();
      const groups = await groupDeadLetters(db.sql, {}, field, 'USD');
      process.stdout.write(`group by ${field}: ${Math.round(performance.now() - started)} ms\n`);
      expect(groups.reduce((sum, { count }) => sum + count, 0)).toBe(COUNT);
    }
  });

  it('the overview of the console takes seconds', async () => {
    await db.execute(`update dead_letters set last_dead_at = now() - (id % 86000) * interval '1 second'`);
    const started = performance.now();
    const { statuses, reasons } = await readOverview(db.sql, 'USD');
    const minutes = await new Throughput(db.sql).minutes();
    process.stdout.write(`overview: ${Math.round(performance.now() - started)} ms\n`);
    expect(statuses.reduce((sum, { count }) => sum + count, 0)).toBe(COUNT);
    const open = statuses.filter(({ status }) => status === 'dead' || status === 'replaying');
    expect(reasons.reduce((sum, { count }) => sum + count, 0)).toBe(
      open.reduce((sum, { count }) => sum + count, 0),
    );
    expect(minutes.reduce((sum, { died }) => sum + died, 0)).toBeGreaterThan(COUNT / 30);
  });

  it('a running replay is polled by primary key', async () => {
    const attempts = Array.from({ length: 3000 }, (_, index) => ({ id: String(index + 1), attempt: 1 }));
    const started = performance.now();
    expect(await readFinished(db.sql, attempts)).toHaveLength(3000);
    process.stdout.write(`3,000 rows watched: ${Math.round(performance.now() - started)} ms\n`);
  });

  it('a few open ones among many that are closed come from an index', async () => {
    await db.execute(`update dead_letters set status = 'resolved' where id % 1000 <> 0`);
    await db.execute('vacuum analyze dead_letters');
    const plan = await planOf(readSelection({ status: 'dead' }, new Date()));
    expect(plan).toContain('dead_letters_is_open_last_dead_at_id_idx');
    expect(plan).not.toContain('Seq Scan');
  });
});
