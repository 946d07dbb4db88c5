import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { parse } from 'csv-parse/sync';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { exportedCalls } from '../../src/calls/export.ts';
import { callColumns } from '../../src/calls/export-columns.ts';
import { cdrFields } from '../../src/domain/cdr.ts';
import { correct } from '../support/correcting.ts';
import { runInProcess } from '../support/in-process.ts';
import type { BillingDatabase } from '../support/persisting.ts';
import { START, START_TEXT, storedCalls } from '../support/stored-calls.ts';
import { HOSTILE, unsafeIn } from '../support/unsafe.ts';

let db: BillingDatabase;

beforeAll(async () => {
  db = await storedCalls('call-commands');
  await db.persist([{ uniqueid: 'moved', start: START + 5, cost: '4' }]);
  await correct(db, { id: 'to-two', uniqueid: 'moved', changes: { customer: 2 } });
});
afterAll(() => db?.drop());

const call = (...args: string[]) =>
  runInProcess(['call', ...args], { DATABASE_URL: db.databaseUrl, TZ: 'Europe/Berlin' });

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
      { charged_stored: '4', charged: '0', voided: true, corrections: 1, invoice_stored: 10, invoice: null },
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
      dead_letters: [],
      orders: [],
      in_force: { charged: '12.05', invoice: 10 },
    });
  });

  it.each([
    [['--machine', 'm-2'], '--since: expected a time, such as 7d'],
    [['--number', '123'], 'where no uniqueid, callid, customer or invoice is given'],
    [['--until', '2023-11-14'], '--since: expected a time'],
    [[], '--since: expected a time'],
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
    ['mov', 'a similar uniqueid is "moved"'],
    ['moved#1', 'a similar uniqueid is "moved"'],
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

describe('calls with texts that are hostile in every place', () => {
  it('are printed with nothing that a terminal obeys', async () => {
    await db.persist([
      { uniqueid: 'hostile', start: START + 9, cost: '1', note: HOSTILE, sname: HOSTILE, dnumber: HOSTILE },
    ]);
    await correct(db, { id: 'of-hostile', uniqueid: 'hostile', changes: { cost: '2' } });
    await db.prisma
      .$executeRaw`update corrections set why = ${HOSTILE}, booked_by = ${HOSTILE} where uniqueid = 'hostile'`;
    await db.prisma
      .$executeRaw`update cdrs set submitted_by = ${HOSTILE}, callid = ${HOSTILE} where uniqueid = 'hostile'`;
    for (const args of [
      ['find', '--uniqueid', 'hostile'],
      ['find', '--uniqueid', 'hostile', '--json'],
      ['show', 'hostile'],
      ['show', 'hostile', '--json'],
      ['export', '--uniqueid', 'hostile'],
      ['export', '--uniqueid', 'hostile', '--json'],
    ]) {
      const { stdout, code } = await call(...args);
      expect(code).toBe(0);
      expect(stdout).toContain('evil\\u001b');
      expect(unsafeIn(stdout.replaceAll('\r\n', '\n').replace(/^\ufeff/, ''))).toEqual([]);
    }
    const unknown = await call('show', `${HOSTILE}!`);
    expect(unknown.code).toBe(1);
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
      charged_stored: '12.05',
      invoice: '10',
    });
    expect(
      others.map(({ uniqueid, charged_stored, charged, voided, customer, late }) => [
        ...[uniqueid, charged_stored, charged, voided, customer, late],
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
    expect(await rows('--uniqueid', 'a', '--columns', 'uniqueid,charged')).toEqual([
      { uniqueid: 'a', charged: '12.05' },
    ]);
    const { stdout } = await call('export', '--callid', 'both', '--json');
    expect(
      stdout
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line)),
    ).toMatchObject([{ uniqueid: 'a', invoice: 10 }, { uniqueid: 'b' }]);
    const file = join(await mkdtemp(join(tmpdir(), 'cdr-calls-')), 'calls.csv');
    expect((await call('export', '--uniqueid', 'a', '--output', file)).code).toBe(0);
    expect(await readFile(file, 'utf8')).toContain('12.05');
    expect(await call('export', '--uniqueid', 'a', '--output', file)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('EEXIST'),
    });
    await rm(dirname(file), { recursive: true });
  });

  it('reads a page at a time, in order, and no more once its reader has gone', async () => {
    const columns = (
      await db.rows(`select string_agg(quote_ident(column_name), ', ') as names from information_schema.columns
        where table_name = 'cdrs' and column_name not in ('uniqueid', 'scustomer', 'start')`)
    )[0]?.names;
    await db.execute(`insert into cdrs (uniqueid, scustomer, start, ${columns})
      select 'many-' || lpad(n::text, 5, '0'), 3, start + n * interval '40 s', ${columns}
      from cdrs, generate_series(1, 5000) as n where uniqueid = 'a'`);
    const pages: number[] = [];
    const counting: typeof db.sql = async (statement, values) => {
      const rows = await db.sql<never>(statement, values);
      if (statement.name === 'calls.page') pages.push(rows.length);
      return rows;
    };
    let lines: string[] = [];
    for await (const chunk of exportedCalls(
      counting,
      { customer: 3 },
      { format: 'csv', columns: ['uniqueid'] },
    ))
      lines = lines.concat(chunk.trimEnd().split('\r\n'));
    expect(lines.slice(1)).toEqual(
      Array.from({ length: 5000 }, (_, n) => `many-${String(n + 1).padStart(5, '0')}`),
    );
    expect(Math.max(...pages)).toBe(2000);
    pages.length = 0;
    for await (const chunk of exportedCalls(counting, { customer: 3 }, { format: 'lines' })) if (chunk) break;
    expect(pages).toHaveLength(1);
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
    [['--machine', 'm-2'], '--since: expected a time'],
  ])('refuses %j with exit code 2', async (args, expected) => {
    const { code, stderr } = await call('export', ...args);
    expect(code).toBe(2);
    expect(stderr).toContain(expected);
  });
});
