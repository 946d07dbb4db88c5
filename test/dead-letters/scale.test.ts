import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readSelection } from '../../src/dead-letters/selection.ts';
import { openStatuses } from '../../src/domain/record.ts';
import { readConsequences } from '../../src/store/dead-letters/consequences.ts';
import type { DeadLetterFilter, PageOptions } from '../../src/store/dead-letters/list.ts';
import { groupDeadLetters, pageStatement, readPage } from '../../src/store/dead-letters/list.ts';
import { readFinished } from '../../src/store/dead-letters/mark.ts';
import { readProblems } from '../../src/store/dead-letters/problems.ts';
import { type Cursor, cursorOf, cursorText, sorts } from '../../src/store/dead-letters/sort.ts';
import { readOverview } from '../../src/store/overview.ts';
import type { Sql } from '../../src/store/sql.ts';
import { Throughput } from '../../src/store/throughput.ts';
import { type BillingDatabase, billingDatabase } from '../support/persisting.ts';

let db: BillingDatabase;
/** Of each three, two are open: 100,000. */
const COUNT = 150_000;
/** So many at a time: no statement may take 20 s. */
const PART = 10_000;

beforeAll(async () => {
  db = await billingDatabase('dead-letters-scale');
  await db.execute(
    `insert into customers (id, name, currency) select n, 'Firm ' || n, 'USD' from generate_series(4, 999) n`,
  );
  for (let from = 1; from < COUNT; from += PART)
    await db.execute(`insert into dead_letters
      (reason, status, uniqueid, scustomer, machine, submitted_by, verified, responses, answer_key, search_keys, body, digest,
        cost, currency, last_dead_at, first_dead_at)
    select case when n % 2000 = 0 then 'poison' else (array['rejected', 'rejected', 'conflict'])[1 + n % 3] end,
      case when n % 1000 = 0 then 'replaying' else (array['dead', 'dead', 'resolved'])[1 + n % 3] end, 'u-' || n, n % 1000, 'm-' || n % 20, 'switch', n % 50 > 0,
      jsonb_build_array(jsonb_build_object('code', '400', 'key', key, 'message', 'wrong: ' || n)), key,
      array['u-' || n, 'sip-' || n, '+49301' || n % 30000, '+49302' || n % 7],
      '{"uniqueid":"u-' || n || '","machine":"m","start":1,"scustomer":1,"note":"' || repeat('x', 400) || '"}',
      sha256(('u-' || n)::bytea), n % 977 * 0.01, (array['USD', 'EUR', null])[1 + n % 3],
      now() - n * interval '10 seconds', now() - n * interval '10 seconds'
    from generate_series(${from}, ${from + PART - 1}) n
    cross join lateral (select (array['scustomer', 'cost', 'peer', 'taxes', 'end'])[1 + n % 5] as key) k`);
  await db.execute(
    `insert into dead_letter_keys (key, dead_letter) select key, id from dead_letters, unnest(search_keys) key`,
  );
  await db.execute('analyze dead_letters, dead_letter_keys, customers');
});

afterAll(async () => {
  await db?.drop();
});

/** The plans of what is asked for, with their times at the server, and what it returns. */
async function explained<Result>(name: string, ask: (sql: Sql) => Promise<Result>) {
  const plans: string[] = [];
  const result = await ask(async (asked, values) => {
    const rows = await db.prisma.$queryRawUnsafe<Record<string, string>[]>(
      `explain (analyze, buffers off) ${asked.text}`,
      ...values,
    );
    plans.push(rows.map((row) => row['QUERY PLAN']).join('\n'));
    return await db.sql(asked, values);
  });
  const plan = plans.join('\n');
  const ms = [...plan.matchAll(/Execution Time: ([\d.]+) ms/g)].map(([, time]) => Number(time));
  process.stdout.write(`${name}: ${ms.join(' + ')} ms at the server\n${plan}\n`);
  return { plan, result };
}

const planOf = async (filter: DeadLetterFilter, options: PageOptions = {}) =>
  (await explained(JSON.stringify({ filter, ...options }), (sql) => readPage(sql, filter, 50, options))).plan;

describe('at 100,000 open dead letters among 150,000', () => {
  it.each([
    [{}, 'dead_letters_last_dead_at_id_idx'],
    [{ status: 'dead' }, 'last_dead_at_id_idx'],
    [{ status: 'resolved' }, 'last_dead_at_id_idx'],
    [{ reason: 'poison' }, 'dead_letters_reason_digest_key'],
    [{ customer: '7' }, 'dead_letters_scustomer_last_dead_at_id_idx'],
    [{ uniqueid: 'u-77' }, 'dead_letters_uniqueid_idx'],
    [{ key: 'cost' }, 'dead_letters_last_dead_at_id_idx'],
    [{ answerKey: 'cost' }, 'dead_letters_last_dead_at_id_idx'],
  ])('the first page of %j comes from an index, without looking at the rest', async (text, index) => {
    const plan = await planOf(readSelection(text, new Date()));
    expect(plan).toContain(index);
    expect(plan).not.toContain('Seq Scan');
    const looked = [...plan.matchAll(/Rows Removed by Filter: (\d+)/g)].map(([, rows]) => Number(rows));
    expect(looked.every((rows) => rows < 1000)).toBe(true);
  });

  const open = { statuses: openStatuses };

  it.each([
    ['latest', 'last_dead_at_id_idx'],
    ['oldest', 'last_dead_at_id_idx'],
    ['cost', 'dead_letters_open_cost_idx'],
    ['customer', 'dead_letters_open_customer_idx'],
  ] as const)('the first page and a later one, %s first, come from an index', async (sort, index) => {
    const { next } = await readPage(db.sql, open, 20_000, { sort });
    for (const after of [undefined, next]) {
      const plan = await planOf(open, { sort, after });
      expect(plan).toContain(index);
      expect(plan).not.toMatch(/Seq Scan|Sort/);
    }
  });

  it('every page in each order has every dead letter once, in that order', async () => {
    const filter = { ...open, machine: 'm-3' };
    const ids = new Set<number>();
    for (const sort of sorts) {
      const found: number[] = [];
      for (let after: Cursor | undefined; ; ) {
        const page = await readPage(db.sql, filter, 1000, { sort, after });
        found.push(...page.deadLetters.map(({ id }) => id));
        if (page.next === undefined) break;
        after = cursorOf(cursorText(page.next), sort);
      }
      expect(new Set(found).size).toBe(found.length);
      if (ids.size === 0) for (const id of found) ids.add(id);
      expect(found.length).toBe(ids.size);
      expect(found.every((id) => ids.has(id))).toBe(true);
    }
    const dearest = await readPage(db.sql, open, 1, { sort: 'cost' });
    expect(dearest.deadLetters).toMatchObject([{ cost: '9.76' }]);
  });

  it.each([
    ['a uniqueid', 'U-777', 1],
    ['a callid', 'sip-777', 1],
    ['a number of a few', '+493010777', undefined],
    ['a number of very many', '+493023', undefined],
    ['the id of a dead letter', '777', undefined],
    ['a customer', 'firm 777', undefined],
    ['a part of the names of many customers', 'firm 7', undefined],
    ['a part of the names of all customers', 'firm', undefined],
    ['nothing that there is', 'nothing', 0],
  ])('a search for %s comes from indexes', async (_what, search, count) => {
    const { plan, result } = await explained(`search ${search}`, (sql) => readPage(sql, { search }, 50));
    expect(plan).not.toContain('Seq Scan on dead_letters');
    if (count !== undefined) expect(result.deadLetters).toHaveLength(count);
  });

  it('problems and consequences are told in one pass over the table', async () => {
    const { result: problems } = await explained('problems', (sql) => readProblems(sql, open, 'USD'));
    expect(problems.reduce((sum, { count }) => sum + count, 0)).toBe(100_050);
    expect(problems.map(({ key }) => key)).toContain('cost');
    const { result } = await explained('consequences', (sql) => readConsequences(sql, open, 'USD'));
    expect(result).toMatchObject({ count: 100_050, by_customer: expect.any(Array) });
    expect(result.by_customer).toHaveLength(20);
    expect(result.others?.customers).toBeGreaterThan(900);
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
    for (let from = 1; from < COUNT; from += PART)
      await db.execute(`update dead_letters set last_dead_at = now() - (id % 86000) * interval '1 second'
        where id between ${from} and ${from + PART - 1}`);
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
    const { finished, unfinished } = await readFinished(db.sql, attempts);
    expect(finished.reduce((sum, { count }) => sum + count, 0)).toBe(3000);
    expect(unfinished).toEqual([]);
    process.stdout.write(`3,000 rows watched: ${Math.round(performance.now() - started)} ms\n`);
  });

  it('a few open ones among many that are closed come from an index', async () => {
    for (let from = 1; from < COUNT; from += PART)
      await db.execute(`update dead_letters set status = 'resolved'
        where id % 1000 <> 0 and id between ${from} and ${from + PART - 1}`);
    await db.execute('vacuum analyze dead_letters');
    const plan = await planOf(readSelection({ status: 'dead' }, new Date()));
    expect(plan).toContain('dead_letters_is_open_last_dead_at_id_idx');
    expect(plan).not.toContain('Seq Scan');
  });
});
