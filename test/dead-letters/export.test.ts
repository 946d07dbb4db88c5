import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse } from 'csv-parse/sync';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { exportColumns } from '../../src/dead-letters/export-columns.ts';
import { type OperatorSite, openOperatorSite } from '../support/operators.ts';

let site: OperatorSite;

const call = {
  machine: '007',
  start: 1_700_000_000,
  end: 1_700_000_090,
  callid: '12e3',
  snumber: '+49301',
  cnumber: '0049302',
  dnumber: '49303',
  currency: 'EUR',
  note: '=HYPERLINK("x")',
};

beforeAll(async () => {
  site = await openOperatorSite('dead-letters-export');
  for (const statement of [
    `insert into customers (id, name, currency) values (5, 'Old; Mill "Brewery"', 'EUR'), (6, 'Harbour Hotel', 'USD')`,
    `insert into taxes (id, name, rate) values (51, 'Levy', 20)`,
    `insert into invoices (id, customer, currency, period_start, period_end) values (61, 6, 'USD', '2023-11-01', '2023-12-01')`,
  ])
    await site.db.execute(statement);
  await site.submit({ ...call, uniqueid: '1700000000.10', scustomer: 5, cost: '2.50', cots: 1 });
  await site.submit({ ...call, uniqueid: 'ex-2', scustomer: 5, cost: '10', taxes: '51', peer: 9 });
  await site.submit({ ...call, uniqueid: 'ex-3', scustomer: 5, cost: '1', auth_password: 'wrong' });
  await site.client.submitTo('cdr.create', { body: JSON.stringify({ uniqueid: 'ex-4' }) });
  await site.db.execute(`insert into peers (id, name) values (9, 'carrier')`);
  const [id = ''] = await site.ids(`uniqueid = 'ex-2'`);
  const corrected = ['--set', 'scustomer=6', '--set', 'invoice=61'];
  expect((await site.dead(['replay', id, ...corrected, '--why', 'moved'])).code).toBe(0);
});

afterAll(async () => {
  await site?.close();
});

/** Rows by uniqueid, each cell by its column. */
async function table(args: readonly string[]): Promise<Record<string, Record<string, string>>> {
  const { stdout, code } = await site.dead(['export', '--format', 'csv', ...args]);
  expect(code).toBe(0);
  const rows = parse<Record<string, string>>(stdout, { bom: true, columns: true });
  return Object.fromEntries(rows.map((row) => [row.uniqueid?.replace(/^'/, ''), row]));
}

describe('dead export --format csv', () => {
  it('is UTF-8 with a byte order mark, with every column by name', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'cdr-export-'));
    const file = join(folder, 'dead-letters.csv');
    expect((await site.dead(['export', '--format', 'csv', '--output', file])).code).toBe(0);
    const bytes = await readFile(file);
    await rm(folder, { recursive: true });
    expect(bytes.subarray(0, 3).toString('hex')).toBe('efbbbf');
    const stdout = bytes.subarray(3).toString();
    expect(stdout.startsWith(`${exportColumns.join(',')}\r\n`)).toBe(true);
    expect(stdout).toContain('"Old; Mill ""Brewery"""');
    expect(stdout).not.toMatch(/[^\r]\n/);
  });

  it('tells of an open dead letter what the call says, in cells that stay what they are', async () => {
    const rows = await table([]);
    expect(rows['1700000000.10']).toMatchObject({
      uniqueid: `'1700000000.10`,
      reason: 'rejected',
      status: 'dead',
      start: '2023-11-14T22:13:20Z',
      end: '2023-11-14T22:14:50Z',
      duration: '90',
      callid: `'12e3`,
      snumber: `'+49301`,
      cnumber: `'0049302`,
      dnumber: '49303',
      machine: `'007`,
      customer: '5',
      customer_name: 'Old; Mill "Brewery"',
      cost: '2.5',
      currency: 'EUR',
      tax: '',
      charged: '',
      invoice: '',
      submitted_by: 'switch',
      verified: 'yes',
      answer: expect.stringContaining('400 cots'),
    });
  });

  it('tells of a resolved one what was stored: who was charged what, with which taxes, on which invoice', async () => {
    const [stored] = await site.db.rows(
      `select trim_scale(charged)::text as charged, trim_scale(tax)::text as tax from cdrs where uniqueid = 'ex-2'`,
    );
    expect((await table(['--status', 'resolved']))['ex-2']).toMatchObject({
      customer: '6',
      customer_name: 'Harbour Hotel',
      cost: '10',
      currency: 'EUR',
      tax: stored?.tax,
      charged: stored?.charged,
      customer_currency: 'USD',
      invoice: '61',
      closed_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
    });
    expect(stored?.tax).toBe('2');
  });

  it('says what an unverified sender claims to be, and where an unroutable message was sent', async () => {
    const rows = await table([]);
    expect(rows['ex-3']).toMatchObject({ submitted_by: 'claims to be switch', verified: 'no' });
    expect(rows['ex-4']).toMatchObject({ reason: 'unroutable', routing_key: 'cdr.create', start: '' });
  });
});

describe('--columns', () => {
  it('chooses columns and their order, as CSV, as JSON and in the table of dead list', async () => {
    const columns = ['--uniqueid', 'ex-2', '--columns', 'cost,uniqueid'];
    const { stdout } = await site.dead(['export', '--format', 'csv', ...columns]);
    expect(stdout).toBe('\ufeffcost,uniqueid\r\n10,ex-2\r\n');
    expect(await site.deadJson(['export', ...columns])).toEqual([{ cost: '10', uniqueid: 'ex-2' }]);
    expect((await site.dead(['export', ...columns])).stdout).toBe('{"cost":"10","uniqueid":"ex-2"}\n');
    expect((await site.dead(['list', ...columns])).stdout).toMatch(/cost +│ uniqueid .*\n.*\n.*10 +│ ex-2/);
    expect((await site.dead(['list', '--format', 'csv', ...columns])).stdout).toBe(stdout);
  });

  it.each([
    [['export', '--columns', 'cost,price'], 'customer_name'],
    [['export', '--columns', 'cost', '--csv'], '--format csv'],
    [['export', '--format', 'xml'], 'lines, json, csv'],
    [['export', '--format', 'csv', '--json'], 'one of them'],
    [['list', '--format', 'lines', '--json'], 'one of them'],
    [['list', '--columns', 'price'], 'customer_name'],
    [['list', '--group-by', 'reason', '--columns', 'id'], '--columns'],
    [['list', '--sort', 'size'], 'latest, oldest, cost, customer'],
  ])('%j exits 2 and says what was expected', async (args, expected) => {
    const { code, stdout, stderr } = await site.dead(args);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain(expected);
  });
});

describe('an export in the activity', () => {
  const latest = async () =>
    (await site.deadJson<{ who: string; detail: object }[]>(['log', '--limit', '1']))[0];

  it('names the user, what was selected and how many', async () => {
    await site.dead(['export', '--format', 'csv', '--customer', '5']);
    expect(await latest()).toMatchObject({
      act: 'exported',
      who: 'boss',
      program: 'command',
      detail: { format: 'csv', filter: { customer: 5 } },
    });
  });

  it('names nobody where nobody signed in, or somebody with a wrong password', async () => {
    for (const password of ['', 'wrong']) {
      expect((await site.dead(['export'], { CDR_PASSWORD: password })).code).toBe(0);
      expect(await latest()).toMatchObject({ act: 'exported', who: null });
    }
  });

  it('is left out with a word about it for who may only read, and the export goes on', async () => {
    for (const statement of [
      `create role export_reader login password 'reader'`,
      'grant usage on schema public to export_reader',
      'grant select on all tables in schema public to export_reader',
    ])
      await site.db.execute(statement);
    const url = new URL(site.db.databaseUrl);
    [url.username, url.password] = ['export_reader', 'reader'];
    const { code, stdout, stderr } = await site.dead(['export'], { DATABASE_URL: url.href });
    expect(code).toBe(0);
    expect(stdout).toContain('ex-2');
    expect(stderr).toContain('not in the activity');
    await site.db.execute('drop owned by export_reader');
    await site.db.execute('drop role export_reader');
  });
});

describe('dead list', () => {
  it('names customers, and where an unroutable message was sent', async () => {
    const { stdout } = await site.dead(['list']);
    expect(stdout).toContain('5 Old; Mill "Brewery"');
    expect(stdout).toContain('routing key cdr.create');
    const groups = await site.dead(['list', '--group-by', 'customer']);
    expect(groups.stdout).toContain('5 Old; Mill "Brewery"');
    expect(await site.deadJson(['list', '--group-by', 'customer'])).toContainEqual(
      expect.objectContaining({ value: '5', name: 'Old; Mill "Brewery"' }),
    );
  });

  it('groups by problem: reason and parameter, how many of late, the oldest, the money at stake', async () => {
    const { stdout } = await site.dead(['list', '--status', 'dead', '--group-by', 'problem']);
    expect(stdout).toMatch(/rejected +│ cots +│ +1 +│ +1 +│ +1 +│ 20.*2\.5 EUR/);
    expect(await site.deadJson(['list', '--status', 'dead', '--group-by', 'problem'])).toContainEqual(
      expect.objectContaining({ reason: 'rejected', key: 'cots', count: 1, last_hour: 1 }),
    );
  });

  it.each([
    ['0049302', ['1700000000.10', 'ex-2', 'ex-3']],
    ['old; mill', ['1700000000.10', 'ex-2', 'ex-3']],
    ['EX-3', ['ex-3']],
    ['%', []],
  ])('--search %s finds calls by number, name of the customer, or uniqueid', async (search, uniqueids) => {
    const rows = await site.deadJson<{ uniqueid: string }[]>(['list', '--search', search]);
    expect(rows.map(({ uniqueid }) => uniqueid).sort()).toEqual(uniqueids);
  });

  it('--sort cost puts the dearest first, whatever the format', async () => {
    const costs = await site.deadJson<{ cost: string }[]>([
      ...['list', '--customer', '5', '--sort', 'cost', '--columns', 'cost'],
    ]);
    expect(costs).toEqual([{ cost: '10' }, { cost: '2.5' }, { cost: '1' }]);
  });
});
