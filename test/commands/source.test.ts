import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import type { CommandResult } from '../support/in-process.ts';
import { runInProcess } from '../support/in-process.ts';

const PRESETS = fileURLToPath(new URL('../../sources/', import.meta.url));
const SAMPLES = fileURLToPath(new URL('../sources/samples/', import.meta.url));
const directory = mkdtempSync(join(tmpdir(), 'cdr-source-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** Without broker or database in its environment. */
function source(args: readonly string[], file?: string): Promise<CommandResult> {
  return runInProcess(['source', ...args], file === undefined ? {} : { SOURCES_FILE: file });
}

function fileWith(name: string, content: string | Buffer): string {
  const path = join(directory, name);
  writeFileSync(path, content);
  return path;
}

const CSV_FEED = `pbx:
  exchange: from.pbx
  as: switch-pbx
  machines: [pbx-1]
  format: csv
  columns: [id, started, seconds, account, price]
  header: columns
  trailer: { starts: END }
  skip: { account: [test] }
  call:
    uniqueid: { join: [{ constant: pbx-1 }, id] }
    machine: { constant: pbx-1 }
    start: { from: started, time: "yyyy-MM-dd HH:mm:ss", zone: Europe/Amsterdam }
    totaltime: seconds
    scustomer: { from: account, lookup: account }
    cost: { from: price, decimal: { point: "," } }
`;

const CSV_FILE = Buffer.concat([
  Buffer.from(`id,started,seconds,account,price
1,2026-09-21 16:13:20,64,harbour,"0,150000"
2,2026-09-21 16:13:20,64,test,0
3,2026-09-21 16:13:20,64,harbour,
4,2026-10-25 02:30:00,-1,harbour,1
5,2026-10-25 02:30:00,1,harbour,1
`),
  Buffer.from('6,2026-09-21 16:13:20,1,\xff,1\r\n', 'latin1'),
  Buffer.from('END,6\n'),
]);

describe('source list', () => {
  it('shows every feed', async () => {
    const { stdout, code } = await source(['list'], `${PRESETS}yeti.yaml`);
    expect(code).toBe(0);
    expect(stdout).toMatch(/yeti .*cdr_amqp \(fanout\).*rating-yeti.*json/);
  });

  it('prints the feeds as JSON', async () => {
    const { stdout } = await source(['list', '--json'], fileWith('pbx.yaml', CSV_FEED));
    expect(JSON.parse(stdout)).toMatchObject([
      { name: 'pbx', exchange: 'from.pbx', type: 'topic', machines: ['pbx-1'] },
    ]);
  });

  it('exits 2 with a line for everything that is wrong in the file', async () => {
    const path = fileWith('wrong.yaml', CSV_FEED.replace('[pbx-1]', '[]').replace('skip:', 'skp:'));
    const { stdout, stderr, code } = await source(['list'], path);
    expect({ stdout, code }).toEqual({ stdout: '', code: 2 });
    expect(stderr.split('\n')).toEqual([
      `cdr-ingest: ${path}: line 4, column 13: pbx.machines: expected at least 1 item, got an empty list`,
      expect.stringMatching(/line 9, column 3: pbx\.skp: expected one of exchange, .*, got "skp"$/),
      '',
    ]);
  });

  it('exits 2 where the variable is missing or names no file', async () => {
    expect(await source(['list'])).toEqual({
      stdout: '',
      stderr: 'cdr-ingest: SOURCES_FILE is missing: expected the path of a sources file\n',
      code: 2,
    });
    expect(await source(['list'], '/nowhere.yaml')).toEqual({
      stdout: '',
      stderr: 'cdr-ingest: SOURCES_FILE: expected a readable file, got "/nowhere.yaml"\n',
      code: 2,
    });
  });
});

describe('source test', () => {
  const sources = fileWith('pbx.yaml', CSV_FEED);
  const file = fileWith('calls.csv', CSV_FILE);

  it('prints what each record becomes, or why not, and exits 1', async () => {
    const { stdout, code } = await source(['test', file], sources);
    expect(code).toBe(1);
    expect(stdout).toBe(`line 2: call
  uniqueid        pbx-1/1
  machine         pbx-1
  cost            0.15
  totaltime       64
  start           1790000000
  scustomer       (the customer of account harbour at 2026-09-21T14:13:20.000Z)
line 3: skipped, account is test
line 4: failed
  cost            field price is empty
line 5: failed
  totaltime       expected a whole number from 0 to 2147483647, got "-1"
line 6: call (its time occurs twice that night; the first was taken)
  uniqueid        pbx-1/5
  machine         pbx-1
  cost            1
  totaltime       1
  start           1792888200
  scustomer       (the customer of account harbour at 2026-10-25T00:30:00.000Z)
line 7: failed
  record          the record is not valid UTF-8
6 records: 2 calls, 1 skipped, 3 failed; 1 time guessed
`);
  });

  it('prints one JSON object per record', async () => {
    const { stdout } = await source(['test', '--json', '--source', 'pbx', file], sources);
    const results = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(results.map(({ line, result }) => [line, result])).toEqual([
      [2, 'call'],
      [3, 'skipped'],
      [4, 'failed'],
      [5, 'failed'],
      [6, 'call'],
      [7, 'failed'],
    ]);
    expect(results[0]).toEqual({
      line: 2,
      result: 'call',
      parameters: { uniqueid: 'pbx-1/1', machine: 'pbx-1', cost: '0.15', totaltime: '64', start: 1790000000 },
      lookups: [{ parameter: 'scustomer', kind: 'account', key: 'harbour', at: 1790000000 }],
      isTimeGuessed: false,
    });
    expect(results[2].errors).toEqual([{ key: 'cost', message: 'field price is empty' }]);
  });

  it.each([
    ['freeswitch-amqp.yaml', '01-freeswitch-mod_amqp-a-leg.json', '1 record: 1 call, 0 skipped, 0 failed'],
    ['freeswitch-amqp.yaml', '02-freeswitch-mod_amqp-b-leg.json', '1 record: 0 calls, 1 skipped, 0 failed'],
    ['cgrates-ees.yaml', '15-cgrates-ees-amqp.json', '1 record: 1 call, 0 skipped, 0 failed'],
  ])('of %s on %s ends with "%s"', async (preset, sample, summary) => {
    const { stdout, code } = await source(['test', `${SAMPLES}${sample}`], `${PRESETS}${preset}`);
    expect(stdout.trimEnd().split('\n').at(-1)).toBe(summary);
    expect(code).toBe(0);
  });

  it('refuses a machine that the feed may not name', async () => {
    const preset = readFileSync(`${PRESETS}freeswitch-amqp.yaml`, 'utf8').replace('[fs-ams-1]', '[fs-ams-2]');
    const { stdout, code } = await source(
      ['test', `${SAMPLES}01-freeswitch-mod_amqp-a-leg.json`],
      fileWith('other.yaml', preset),
    );
    expect(code).toBe(1);
    expect(stdout).toContain('machine         expected one of fs-ams-2, the machines of the feed');
  });

  it('names the feeds where there are several and none is chosen, and exits 2', async () => {
    const both = fileWith(
      'both.yaml',
      ['yeti.yaml', 'kazoo.yaml'].map((name) => readFileSync(PRESETS + name, 'utf8')).join(''),
    );
    expect(await source(['test', file], both)).toMatchObject({
      stderr: 'cdr-ingest: --source: expected one of yeti, kazoo-1, got none\n',
      code: 2,
    });
    expect(await source(['test', '--source', 'opensips', file], both)).toMatchObject({
      stderr: 'cdr-ingest: --source: expected one of yeti, kazoo-1, got "opensips"\n',
      code: 2,
    });
  });

  it('refuses a line that is longer than any record or array may be, and does not hold the rest of it', async () => {
    const huge = fileWith('huge.csv', Buffer.alloc(65 * 1024 * 1024, 0x20));
    const { stderr, code } = await source(['test', huge], fileWith('feed.yaml', CSV_FEED));
    expect({ stderr, code }).toEqual({
      stderr: `cdr-ingest: ${huge}: line 1: expected at most 64 MiB in one line, got more\n`,
      code: 1,
    });
  });

  it('refuses a file that is not there, and one whose header names other columns', async () => {
    expect(await source(['test', '/nowhere.csv'], sources)).toMatchObject({ stdout: '', code: 1 });
    const { stderr, code } = await source(['test', fileWith('other.csv', 'a,b\n')], sources);
    expect(code).toBe(1);
    expect(stderr).toContain('line 1: expected the columns id, started, seconds, account, price\n');
  });
});
