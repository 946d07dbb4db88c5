import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { upsertUser } from '../../src/store/users.ts';
import type { CommandResult } from '../support/in-process.ts';
import { runInProcess } from '../support/in-process.ts';
import { runCommand } from '../support/operators.ts';
import { cheapHash } from '../support/password.ts';
import { type BillingDatabase, billingDatabase } from '../support/persisting.ts';
import { startProcess, type WorkerProcess } from '../support/worker.ts';

const SOURCES = `pbx:
  exchange: from.pbx
  as: switch-pbx
  machines: [pbx-1]
  format: csv
  columns: [id, begin, seconds, account, price, note]
  header: columns
  trailer: { starts: END }
  skip: { account: [test] }
  call:
    uniqueid: id
    machine: { constant: pbx-1 }
    start: { from: begin, time: s }
    totaltime: seconds
    scustomer: { from: account, lookup: account }
    cost: { from: price, decimal: { point: "," } }
    note: { from: note, optional: true }
`;
const HEADER = 'id,begin,seconds,account,price,note\n';

const directory = mkdtempSync(join(tmpdir(), 'cdr-audit-'));
let db: BillingDatabase;
let worker: WorkerProcess;

function environment(): Record<string, string> {
  return {
    DATABASE_URL: db.databaseUrl,
    AMQP_URL: db.amqpUrl,
    HTTP_PORT: '0',
    SOURCES_FILE: fileWith('sources.yaml', SOURCES),
  };
}

beforeAll(async () => {
  db = await billingDatabase('source-audit');
  await db.execute(`insert into customer_keys (kind, key, customer) values ('account', 'one', 1)`);
  const passwordHash = await cheapHash('nobody-needs-it');
  await upsertUser(db.sql, { username: 'switch-pbx', role: 'system', passwordHash });
  worker = await startProcess(['worker'], environment());
  await worker.logged('"queue":"cdrs.create","state":"consuming"');
});
afterAll(async () => {
  await worker?.stop();
  await db?.drop();
  rmSync(directory, { recursive: true, force: true });
});

function fileWith(name: string, content: string | Buffer): string {
  const path = join(directory, name);
  writeFileSync(path, content);
  return path;
}

function command(args: readonly string[], more: Record<string, string> = {}): Promise<CommandResult> {
  return runInProcess(args, { ...environment(), ...more });
}

const balance = async () => (await db.rows('select balance::text from customers where id = 1'))[0]?.balance;

/** What the switch sent, and what its own file of that day says. */
const SENT = `${HEADER}a-1,1700000000,60,one,"1,250000",x
a-2,1700000000,60,one,1,x
a-3,1700000000,60,test,1,x
a-4,1700000000,60,nobody,1,x
a-5,1700000000,60,one,,x
a-6
END,6
`;
const OWN_FILE = SENT.replace('a-2,1700000000,60,one,1,', 'a-2,1700000000,61,one,1,').replace(
  'END',
  'a-7,1700000000,60,one,2,"two\nlines"\na-8,1700000000,60,one,4,\nEND',
);

describe('native files through broker and worker', () => {
  it('are published once, however often they are sent', async () => {
    const file = fileWith('sent.csv', SENT);
    const first = await command(['publish', '--source', 'pbx', '--json', file]);
    expect(JSON.parse(first.stdout)).toMatchObject({
      sent: 5,
      byCode: { 204: 2, 400: 3 },
      duplicates: 0,
      skipped: 1,
      unanswered: 0,
      refused: [
        { where: `${file}: line 5`, responses: [{ code: '400', key: 'scustomer' }] },
        { where: `${file}: line 6`, responses: [{ code: '400', key: 'cost' }] },
        { where: `${file}: line 7`, responses: [{ code: '400', key: '' }] },
      ],
    });
    expect(first.code).toBe(1);
    const again = await command(['publish', '--source', 'pbx', '--json', file]);
    expect(JSON.parse(again.stdout)).toMatchObject({ sent: 5, duplicates: 2, skipped: 1 });
    expect(await balance()).toBe('97.750000');
    expect(await db.rows('select uniqueid, source, charged::text from cdrs order by 1')).toEqual([
      { uniqueid: 'a-1', source: 'pbx', charged: '1.250000' },
      { uniqueid: 'a-2', source: 'pbx', charged: '1.000000' },
    ]);
  });

  it('are audited record by record', async () => {
    const file = fileWith('own.csv', OWN_FILE);
    const { stdout, code } = await command(['source', 'audit', '--source', 'pbx', file]);
    expect(code).toBe(1);
    const [listed = '', table = ''] = stdout.split(/(?=┌)/);
    expect(listed).toBe(`line 3: different a-2: totaltime 61, stored with 60
line 5: dead a-4
line 6: dead a-5: cost: field price is empty
line 7: unmapped: the record has 1 fields, expected 6 columns
line 8: missing a-7
line 10: missing a-8
`);
    const counts = [...table.matchAll(/│ (\w+) +│ (\d+) +│/g)].map(([, state, count]) => `${state} ${count}`);
    expect(counts).toEqual([
      'stored 1',
      'corrected 0',
      'skipped 1',
      'discarded 0',
      'different 1',
      'dead 2',
      'unmapped 1',
      'missing 2',
    ]);
  });

  it('are audited for programs and by state', async () => {
    const file = fileWith('own.csv', OWN_FILE);
    const { stdout } = await command(['source', 'audit', '--json', file]);
    const lines = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(lines[0]).toEqual({
      line: 3,
      uniqueid: 'a-2',
      state: 'different',
      differences: [{ parameter: 'totaltime', stored: 60, received: 61 }],
    });
    expect(lines[3]).toMatchObject({ line: 7, uniqueid: null, state: 'unmapped', errors: [{ key: '' }] });
    expect(lines.at(-1)).toMatchObject({ records: 8, states: { stored: 1, missing: 2 } });
    expect((await command(['source', 'audit', '--show', 'stored', file])).stdout).toMatch(
      /^line 2: stored a-1\n┌/,
    );
  });

  it('have what is missing sent, and nothing else, once', async () => {
    const file = fileWith('own.csv', OWN_FILE);
    expect(await command(['source', 'audit', '--send', file])).toMatchObject({
      stderr: 'cdr-ingest: --send: expected --yes, because nobody can be asked here\n',
      code: 2,
    });
    expect(await command(['source', 'audit', '--send', '--yes', '-'])).toMatchObject({
      stderr: 'cdr-ingest: --send: expected a file, which is read twice, got a pipe or standard input\n',
      code: 2,
    });
    const { stdout, code } = await command(['source', 'audit', '--send', '--yes', '--json', file]);
    expect(JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '')).toMatchObject({
      sending: { sent: 2, byCode: { 204: 2 }, duplicates: 0 },
    });
    expect(code).toBe(1);
    expect(await balance()).toBe('91.750000');
    expect(await db.rows(`select note from cdrs where uniqueid = 'a-7'`)).toEqual([
      { note: 'two\ufffdlines' },
    ]);
    const after = await command(['source', 'audit', '--json', file]);
    expect(JSON.parse(after.stdout.trimEnd().split('\n').at(-1) ?? '')).toMatchObject({
      states: { stored: 3, missing: 0 },
    });
  });

  it('exit 0 where all is stored or left out', async () => {
    const file = fileWith(
      'good.csv',
      SENT.split('\n')
        .filter((line) => !/^a-[2456]/.test(line))
        .join('\n'),
    );
    expect(await command(['source', 'audit', file])).toMatchObject({ code: 0, stderr: '' });
    expect(await command(['source', 'audit', '--send', '--yes', file])).toMatchObject({
      code: 0,
      stderr: '',
    });
  });

  it('are not audited by another rule for uniqueid than the workers have', async () => {
    const other = fileWith('other.yaml', SOURCES.replace('uniqueid: id', 'uniqueid: { join: [id, begin] }'));
    const file = fileWith('sent.csv', SENT);
    expect(await command(['source', 'audit', file], { SOURCES_FILE: other })).toEqual({
      stdout: '',
      stderr:
        'cdr-ingest: the feed pbx has another rule for uniqueid on record: use the sources file of the workers\n',
      code: 1,
    });
  });

  it('may be of any size: what is held of them has a bound', async () => {
    const record = (_: unknown, index: number) => `z-${index},1700000000,60,one,1,${'x'.repeat(2000)}\n`;
    const file = fileWith('large.csv', HEADER + Array.from({ length: 40_000 }, record).join(''));
    const { stdout, stderr } = await runCommand(['source', 'audit', file], {
      ...environment(),
      NODE_OPTIONS: '--max-old-space-size=64',
    });
    expect(stderr).toBe('');
    expect(stdout).toMatch(
      /line 21: missing z-19\nand 39980 other records: --show STATE lists all of a state\n/,
    );
    expect(stdout).toMatch(/missing +│ 40000/);
  });

  it('have the records before the place counted where they cannot be read on', async () => {
    const file = fileWith(
      'long.csv',
      `${HEADER}a-1,1700000000,60,one,"1,250000",x\n${' '.repeat(70_000_000)}`,
    );
    const { stdout, stderr, code } = await command(['source', 'audit', file]);
    expect(stdout).toMatch(/stored +│ 1/);
    expect(stderr).toBe(`cdr-ingest: ${file}: line 3: expected at most 64 MiB in one line, got more\n`);
    expect(code).toBe(1);
  });
});
