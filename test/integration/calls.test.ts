import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { parse } from 'csv-parse/sync';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { callColumns } from '../../src/calls/export-columns.ts';
import { readCallFilter } from '../../src/calls/filter.ts';
import { readCallStory } from '../../src/calls/story.ts';
import { cdrFields } from '../../src/domain/cdr.ts';
import { readEntries } from '../../src/store/calls/entries.ts';
import type { CallFilter } from '../../src/store/calls/filter.ts';
import { callPages, findCalls } from '../../src/store/calls/find.ts';
import { unprepared } from '../../src/store/sql.ts';
import { correct } from '../support/correcting.ts';
import { runInProcess } from '../support/in-process.ts';
import { type BillingDatabase, billingDatabase } from '../support/persisting.ts';

let db: BillingDatabase;

const START = 1_700_000_000;
const START_TEXT = '2023-11-14T22:13:20Z';

beforeAll(async () => {
  db = await billingDatabase('calls');
  const outcomes = await db.persist([
    { uniqueid: 'a', callid: 'both', cnumber: '0031612345678', dnumber: '+44 20', cost: '10', taxes: '1,2' },
    { uniqueid: 'b', callid: 'both', start: START + 60, dnumber: '+31612345678', cost: '1' },
    { uniqueid: 'c', scustomer: 2, start: START + 120, snumber: '31612345678', machine: 'm-2', cost: '200' },
    { uniqueid: 'd', scustomer: 2, start: START + 120, cost: '-3', currency: 'EUR' },
    { uniqueid: 'e', start: START - 600, update_balance: 0, update_invoices: 0, cost: '5' },
  ]);
  expect(outcomes.map(({ kind }) => kind)).toEqual(outcomes.map(() => 'accepted'));
});
afterAll(() => db?.drop());

async function found(text: Parameters<typeof readCallFilter>[0], limit = 10): Promise<string[]> {
  const { calls } = await findCalls(db.sql, readCallFilter(text, new Date()), { limit });
  return calls.map(({ uniqueid }) => uniqueid);
}

/** By which indexes of `cdrs` a search goes, were the table too large to be read as a whole. */
async function indexesOf(filter: CallFilter): Promise<string[]> {
  const plans: string[] = [];
  await db.transaction(
    async (sql) => {
      await sql(unprepared('test.no-scans', 'set local enable_seqscan = off'), []);
      const explaining: typeof sql = async ({ name, text }, values) => {
        if (name !== 'calls.page') return await sql({ name, text }, values);
        plans.push(JSON.stringify(await sql(unprepared(name, `explain ${text}`), values)));
        return [];
      };
      await findCalls(explaining, filter, { limit: 10 });
    },
    { timeoutMs: 10_000 },
  );
  return [...new Set(plans.join().match(/(?<=using |on )cdrs_\w+/g))];
}

const call = (...args: string[]) =>
  runInProcess(['call', ...args], { DATABASE_URL: db.databaseUrl, TZ: 'Europe/Berlin' });

describe('stored calls', () => {
  it.each([
    [{ uniqueid: 'a' }, ['a']],
    [{ callid: 'both' }, ['b', 'a']],
    [{ customer: '2' }, ['d', 'c']],
    [{ number: '+31 6 1234 5678' }, ['c', 'b', 'a']],
    [{ number: '+44 20' }, ['a']],
    [{ machine: 'm-2' }, ['c']],
    [{ source: '' }, ['d', 'c', 'b', 'a', 'e']],
    [{ source: 'feed' }, []],
    [{ since: START_TEXT }, ['d', 'c', 'b', 'a']],
    [{ until: START_TEXT }, ['e']],
    [{ since: START_TEXT, until: '2023-11-14T22:14:20Z' }, ['a']],
    [{ invoice: '10' }, ['b', 'a']],
    [{ charged: '12.05' }, ['a']],
    [{ charged: '100..' }, ['c']],
    [{ charged: '..0' }, ['d', 'e']],
    [{ charged: '1..13', customer: '1' }, ['b', 'a']],
  ])('are found by %j, the latest start first', async (filter, expected) => {
    expect(await found(filter)).toEqual(expected);
  });

  it('come in pages that neither repeat nor leave out a call', async () => {
    const pages: string[][] = [];
    let after: Awaited<ReturnType<typeof findCalls>>['next'];
    do {
      const { calls, next } = await findCalls(db.sql, {}, { limit: 2, after });
      pages.push(calls.map(({ uniqueid }) => uniqueid));
      after = next;
    } while (after !== undefined);
    expect(pages).toEqual([['d', 'c'], ['b', 'a'], ['e']]);
  });
});

describe('stored calls of many days', () => {
  const DAY = 86_400;
  beforeAll(async () => {
    const calls = Array.from({ length: 40 }, (_, index) => ({
      uniqueid: `day-${String(index).padStart(2, '0')}`,
      machine: 'm-days',
      scustomer: 3,
      start: START + 100 * DAY + (index >> 1) * (index >> 1) * DAY,
    }));
    await db.persist([
      ...calls,
      { uniqueid: 'far', scustomer: 3, start: 253_402_300_799, end: 253_402_300_799 },
    ]);
  });

  const uniqueids = async (order: 'latest' | 'earliest', limit: number, filter = { customer: 3 }) => {
    const pages: string[][] = [];
    for await (const calls of callPages(db.sql, filter, { order, limit }))
      pages.push(calls.map(({ uniqueid }) => uniqueid));
    expect(Math.max(...pages.map(({ length }) => length))).toBeLessThanOrEqual(limit);
    expect(Math.min(...pages.map(({ length }) => length))).toBeGreaterThan(0);
    return pages.flat();
  };

  it.each([1, 3, 7, 100])(
    'come in their order, in pages of %i, whatever lies between the days',
    async (limit) => {
      const all = Array.from({ length: 40 }, (_, index) => `day-${String(index).padStart(2, '0')}`);
      expect(await uniqueids('earliest', limit)).toEqual([...all, 'far']);
      expect(await uniqueids('latest', limit)).toEqual(['far', ...all.toReversed()]);
    },
  );

  it('are looked for through the index of days, and by callid without any', async () => {
    const filters: CallFilter[] = [
      { customer: 3 },
      { callid: 'both' },
      { uniqueid: 'a' },
      { since: new Date(0) },
    ];
    const indexes = await Promise.all(filters.map(indexesOf));
    expect(indexes).toEqual([['cdrs_day_idx'], ['cdrs_day_idx'], ['cdrs_pkey'], ['cdrs_day_idx']]);
  });
});

describe('a call that was corrected to another customer', () => {
  it('is found by both, and on the invoices of both', async () => {
    await db.persist([{ uniqueid: 'moved', start: START + 5, cost: '4' }]);
    await correct(db, { id: 'to-two', uniqueid: 'moved', changes: { customer: 2 } });
    expect(await found({ customer: '1', since: START_TEXT })).toContain('moved');
    expect(await found({ customer: '2', since: START_TEXT })).toContain('moved');
    const entries = (await readEntries(db.sql, ['moved', 'a'])).get('moved');
    expect(entries?.map(({ kind, customer }) => [kind, customer])).toEqual([
      ['reversing', 1],
      ['new', 2],
    ]);
    expect(await found({ invoice: '10' })).toEqual(['b', 'moved', 'a']);
    expect(await found({ invoice: String(entries?.[1]?.invoice) })).toContain('moved');
    expect(await found({ invoice: '10', customer: '2' })).toEqual([]);
    expect(await found({ invoice: '999' })).toEqual([]);
  });
});

describe('the story of a call', () => {
  it('says what was charged tax by tax, on which terms and on which invoice', async () => {
    const story = await readCallStory(db.sql, 'a');
    expect(story?.call).toMatchObject({
      uniqueid: 'a',
      start: new Date(START_TEXT),
      customer_name: 'one',
      charged: '12.05',
      invoice: 10,
      invoice_currency: 'EUR',
      invoice_rate: '0.92',
      submitted_by: 'switch',
      charged_taxes: [
        { id: 1, name: 'VAT', rate: '20', amount: '2' },
        { id: 2, name: 'levy', flat: '0.05', amount: '0.05' },
      ],
    });
    expect(story?.invoices).toMatchObject([{ id: 10, status: 'open' }]);
  });

  it('is undefined for a uniqueid that was never stored', async () => {
    expect(await readCallStory(db.sql, 'nobody')).toBeUndefined();
  });
});

describe('call find and call show', () => {
  it('print calls, and everything about one', async () => {
    const list = await call('find', '--customer', '2');
    expect(list).toMatchObject({ code: 0, stderr: '' });
    expect(list.stdout).toMatch(/c +│ 2023-11-14 22:15:20 │ 2 two/);
    expect(list.stdout).toMatch(/moved +│ .* │ 2 two .* │ 3.68 EUR .* │ by shop +│/);
    const page = await call('show', 'a');
    expect(page).toMatchObject({ code: 0, stderr: '' });
    for (const line of [
      '  callid both',
      '  customer 1 one',
      '  started 2023-11-14 22:13:20 UTC (2023-11-14 23:13:20 local, GMT+1)',
      '  ended   2023-11-14 22:13:20 UTC (2023-11-14 23:13:20 local, GMT+1), after 0 s; talked 0 s',
      '  called 0031612345678, to +44 20',
      '  cost 10.00 USD',
      '  tax 1 VAT: 20 % = 2.00 USD',
      '  tax 2 levy: 0.05 (system currency) a call = 0.05 USD',
      '  taxes in all 2.05 USD',
      '  charged 12.05 USD to customer 1 one',
      '  on invoice 10 (open, 2023-11-14 to 2023-11-14): cost 9.20 EUR, tax 1.886 EUR',
      '  rates per unit of the system currency then: USD 1, EUR 0.92',
    ])
      expect(page.stdout.split('\n')).toContain(line);
    expect(page.stdout).toMatch(/scustomer +│ 1 /);
  });

  it('tell a corrected call as it stands, entry by entry, and a voided one', async () => {
    const moved = await call('show', 'moved');
    expect(moved.stdout).toContain(
      'in force after 2 entries: charged 3.68 EUR to customer 2 two, on invoice 20 (open)',
    );
    expect(moved.stdout).toMatch(/reversing │ shop │ 1 one +│ -4.00 USD │ 10 \(open\) │ -3.68 EUR/);
    expect(moved.stdout).toMatch(/new +│ shop │ 2 two +│ 3.68 EUR +│ 20 \(open\) │ 3.68 EUR/);
    await db.persist([{ uniqueid: 'voided', start: START + 6, cost: '4' }]);
    await correct(db, { id: 'away', uniqueid: 'voided' });
    expect((await call('show', 'voided')).stdout).toContain(
      'VOIDED, after 1 entry: nothing is charged for it',
    );
    const corrected = await call('find', '--corrected', '--since', START_TEXT);
    expect(corrected.stdout).toMatch(/voided +│ .* │ 0.00 USD +│ +│ voided by shop/);
    expect(corrected.stdout.match(/2023-11-14/g)).toHaveLength(2);
    const { stdout } = await call('find', '--uniqueid', 'voided', '--json');
    expect(JSON.parse(stdout)).toMatchObject([
      { charged: '4', charged_now: '0', voided: true, corrections: 1, invoice: 10, invoice_now: null },
    ]);
  });

  it('tell the dead letters that a call came from, also under another uniqueid', async () => {
    await db.execute(`insert into dead_letters (reason, status, uniqueid, body, digest, edits, closed_at, responses) values
      ('rejected', 'resolved', 'b', '{}', '\\x01', '{}', now(), '[{"code": "400", "key": "peer", "message": ""}]'),
      ('conflict', 'resolved', 'before', '{}', '\\x02', '{"uniqueid": "renamed"}', now(), '[]'),
      ('rejected', 'dead', 'waiting', '{}', '\\x03', '{}', null, '[]')`);
    await db.persist([{ uniqueid: 'renamed', start: START + 7 }]);
    await db.execute(`update cdrs set replayed_by = 'boss' where uniqueid = 'renamed'`);
    expect((await call('show', 'b')).stdout).toMatch(/create +│ rejected │ resolved │ 400 peer/);
    const renamed = await call('show', 'renamed');
    expect(renamed.stdout).toMatch(/create +│ conflict │ resolved/);
    expect(renamed.stdout).toContain('sent by switch, replayed by boss, stored');
  });

  it('print JSON', async () => {
    const list = await call('find', '--callid', 'both', '--json');
    expect(JSON.parse(list.stdout)).toMatchObject([{ uniqueid: 'b' }, { uniqueid: 'a', cost: '10' }]);
    const story = await call('show', 'a', '--json');
    expect(JSON.parse(story.stdout)).toMatchObject({
      uniqueid: 'a',
      pruned: false,
      entries: [],
      in_force: { charged: '12.05', invoice: 10 },
    });
  });

  it.each([
    [['--machine', 'm-2'], '--since 7d'],
    [['--number', '123'], 'a customer'],
    [['--until', '2023-11-14'], 'a span of time'],
    [[], 'a uniqueid'],
    [['--customer', ''], '--customer: expected a value'],
    [['--charged', 'much', '--customer', '1'], '--charged: expected an amount'],
    [['--since', 'March', '--customer', '1'], '--since: expected 2h, 7d or an ISO 8601 time'],
  ])('refuse %j with exit code 2 and say what is missing', async (args, expected) => {
    const { code, stderr, stdout } = await call('find', ...args);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain(expected);
  });

  it.each([
    ['nobody', 'there is no stored call "nobody"'],
    ['waiting', 'dead letter 3 (rejected, dead) has it: cdr-ingest dead show 3'],
    ['both', 'it is the callid of "b", "a"'],
    ['day-0', 'a similar uniqueid is "day-00", "day-01"'],
    [' a ', 'a similar uniqueid is "a"'],
  ])('exit 1 for %j, which is not stored, and say what may be meant', async (uniqueid, expected) => {
    const { code, stderr, stdout } = await call('show', uniqueid);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toContain(expected);
  });

  it('say what is still known of a call that was pruned', async () => {
    await db.execute(`insert into past_calls (uniqueid, fingerprint) values ('long-ago', '\\x00')`);
    expect(await call('show', 'long-ago')).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('has been pruned'),
    });
  });
});

describe('call export', () => {
  const rows = async (...args: string[]) => {
    const { code, stdout } = await call('export', ...args);
    expect(code).toBe(0);
    return parse<Record<string, string>>(stdout, { bom: true, columns: true });
  };

  it('writes CSV for people, the earliest start first, with what is in force beside what was stored', async () => {
    await db.persist([
      { uniqueid: '0012', start: START + 8, sname: '=1+1', dnumber: '+31 6', callid: '1e3', note: 'a;=b' },
    ]);
    const { stdout } = await call('export', '--since', START_TEXT, '--until', '2023-11-14T22:13:29Z');
    expect(stdout.startsWith(`\ufeff${callColumns.join(',')}\r\n`)).toBe(true);
    const [first, ...others] = await rows('--since', START_TEXT, '--until', '2023-11-14T22:13:29Z');
    expect(first).toMatchObject({
      start: START_TEXT,
      uniqueid: 'a',
      customer_name: 'one',
      cnumber: "'0031612345678",
      charged: '12.05',
      voided: 'no',
      charged_now: '12.05',
      invoice_now: '10',
    });
    expect(
      others.map(({ uniqueid, charged, charged_now, voided, customer_now, late }) => [
        ...[uniqueid, charged, charged_now, voided, customer_now, late],
      ]),
    ).toEqual([
      ['moved', '4', '3.68', 'no', '2', 'no'],
      ['voided', '4', '0', 'yes', '1', 'no'],
      ['renamed', '0', '0', 'no', '1', 'no'],
      ["'0012", '0', '0', 'no', '1', 'no'],
    ]);
    expect(others.at(-1)).toMatchObject({ sname: "'=1+1", dnumber: "'+31 6", callid: "'1e3", note: "a;'=b" });
  });

  it('writes chosen columns, JSON Lines with everything, and new files only', async () => {
    expect(await rows('--uniqueid', 'a', '--columns', 'uniqueid,charged_now')).toEqual([
      { uniqueid: 'a', charged_now: '12.05' },
    ]);
    const { stdout } = await call('export', '--callid', 'both', '--json');
    expect(
      stdout
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line)),
    ).toMatchObject([{ uniqueid: 'a', invoice_now: 10 }, { uniqueid: 'b' }]);
    const file = join(await mkdtemp(join(tmpdir(), 'cdr-calls-')), 'calls.csv');
    expect((await call('export', '--uniqueid', 'a', '--output', file)).code).toBe(0);
    expect(await readFile(file, 'utf8')).toContain('12.05');
    expect(await call('export', '--uniqueid', 'a', '--output', file)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('EEXIST'),
    });
    await rm(dirname(file), { recursive: true });
  });

  it('has a column for every parameter of a call, and is on record', async () => {
    const names = new Set<string>([
      ...callColumns,
      ...(callColumns.includes('customer') ? ['scustomer'] : []),
    ]);
    expect(cdrFields.filter((name) => !names.has(name))).toEqual([]);
    const acts = await db.rows(`select detail::text from activity where act = 'exported'`);
    expect(acts.map(({ detail }) => JSON.parse(detail ?? ''))).toContainEqual({
      calls: { callid: 'both' },
      format: 'lines',
    });
  });

  it.each([
    [['--json', '--format', 'csv', '--customer', '1'], '--json and --format csv'],
    [['--json', '--columns', 'start', '--customer', '1'], '--columns: expected with CSV'],
    [['--columns', 'colour', '--customer', '1'], '--columns: expected some of start'],
    [['--machine', 'm-2'], '--since 7d'],
  ])('refuses %j with exit code 2', async (args, expected) => {
    const { code, stderr } = await call('export', ...args);
    expect(code).toBe(2);
    expect(stderr).toContain(expected);
  });
});
