import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { selectionOf } from '../../src/commands/dead/options.ts';
import { readDeadLetterView } from '../../src/dead-letters/history.ts';
import { readSelection, type SelectionText } from '../../src/dead-letters/selection.ts';
import { readPage } from '../../src/store/dead-letters/list.ts';
import type { Cursor } from '../../src/store/dead-letters/sort.ts';
import { type OperatorSite, openOperatorSite, PASSWORD, runCommand } from '../support/operators.ts';

let site: OperatorSite;

beforeAll(async () => {
  site = await openOperatorSite('dead-letters-commands');
  await site.submit({ uniqueid: 'a-1', scustomer: 700, machine: 'm-2', cost: '2.5' });
  await site.submit({ uniqueid: 'a-2', scustomer: 701, cost: '10', currency: 'EUR' });
  await site.submit({ uniqueid: 'a-3', scustomer: 701, cots: 1, cost: 'x' });
  await site.submit({ uniqueid: 'ok-1', cost: '1', snumber: '555' });
  await site.submit({ uniqueid: 'ok-1', cost: '9', snumber: '556' });
  await site.submit({ uniqueid: 'a-5', auth_password: `${PASSWORD}-wrong` });
  await site.submit({ uniqueid: 'a-6', auth_username: 'auditor' });
  await site.client.submit({ body: `{"uniqueid":"a-7","auth_password":"${PASSWORD}",` });
});

afterAll(async () => {
  await site?.close();
});

interface Row {
  id: number;
  uniqueid: string | null;
}

/** The uniqueids that a selection finds, by the same functions as in the command. */
const found = async (text: SelectionText, limit = 100) => {
  const { deadLetters } = await readPage(site.db.sql, readSelection(text, new Date()), limit);
  return deadLetters.map(({ uniqueid }) => uniqueid);
};

describe('dead list', () => {
  it('prints a table, latest death first, and needs no credentials', async () => {
    const { stdout, code } = await site.dead(['list'], { CDR_USERNAME: '', CDR_PASSWORD: '', AMQP_URL: '' });
    expect(code).toBe(0);
    const order = [...stdout.matchAll(/(a-\d|ok-1)/g)].map(([name]) => name);
    expect(order).toEqual(['a-7', 'a-6', 'a-5', 'ok-1', 'a-3', 'a-2', 'a-1']);
    expect(stdout).toMatch(/a-3 .*400 cost, scustomer, cots|a-3 .*400 cost, cots/);
    expect(stdout).toContain('10 EUR');
  });

  it.each<[SelectionText, (string | null)[]]>([
    [{ reason: 'conflict' }, ['ok-1']],
    [{ reason: 'unauthenticated,forbidden' }, ['a-6', 'a-5']],
    [{ code: '401' }, ['a-5']],
    [{ key: 'cots' }, ['a-3']],
    [{ key: 'scustomer', machine: 'm-2' }, ['a-1']],
    [{ customer: '701' }, ['a-3', 'a-2']],
    [{ uniqueid: 'a-1' }, ['a-1']],
    [{ status: 'resolved' }, []],
    [{ since: '1h', customer: '700' }, ['a-1']],
    [{ until: '1h' }, []],
    [{ until: '2020-01-01' }, []],
    [{ since: '2020-01-01T00:00', customer: '700' }, ['a-1']],
  ])('filters by %j', async (text, expected) => {
    expect(await found(text)).toEqual(expected);
  });

  it.each(['reason', 'status', 'code', 'search', 'customer', 'machine', 'uniqueid', 'since', 'until'])(
    'refuses --%s without a value: of a variable that is not set it would select everything',
    (option) => {
      const refused = `--${option}: expected a value, got ""`;
      expect(() => selectionOf([], { source: '', key: '', [option]: ' ' })).toThrow(refused);
    },
  );

  it('discards nothing where a filter has no value', async () => {
    const args = ['discard', '--reason', 'rejected', '--machine', '', '--why', 'x', '--yes'];
    expect(await site.dead(args)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('--machine: expected a value, got ""'),
    });
  });

  it('combines filters and ids, and reads page by page', async () => {
    const ids = await site.ids(`uniqueid in ('a-1', 'a-2', 'a-3')`);
    const rows = await site.deadJson<Row[]>([
      'list',
      ...ids,
      '--customer',
      '701',
      '--reason',
      'rejected',
      '--limit',
      '1',
    ]);
    expect(rows.map(({ uniqueid }) => uniqueid)).toEqual(['a-3']);
    const pages: (string | null)[] = [];
    for (let after: Cursor | undefined; ; ) {
      const { deadLetters, next } = await readPage(site.db.sql, {}, 3, { after });
      pages.push(...deadLetters.map(({ uniqueid }) => uniqueid));
      if (next === undefined) break;
      after = next;
    }
    expect(pages).toEqual(await found({}));
    expect(pages).toHaveLength(7);
  });

  it.each(['list', 'show', 'export', 'replay', 'discard'])('exits 1 for an unknown id: %s', async (name) => {
    const { code, stdout, stderr } = await site.dead([name, '999999']);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toContain('999999');
  });

  it.each([
    [['list', '--reason', 'bad'], 'rejected'],
    [['list', '--group-by', 'cost'], 'reason'],
    [['replay', '--set', 'nonsense=1'], 'nonsense'],
  ])('exits 2 for %j and prints what was expected', async (args, expected) => {
    const { code, stdout, stderr } = await site.dead(args);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain(expected);
  });

  it('groups with counts and the money at stake', async () => {
    expect(await site.deadJson(['list', '--group-by', 'reason'])).toMatchObject([
      {
        value: 'rejected',
        count: 4,
        at_stake: [
          { currency: 'EUR', cost: '10' },
          { currency: 'USD', cost: '2.5' },
        ],
      },
      { value: 'conflict', count: 1, at_stake: [{ currency: 'USD', cost: '9' }] },
      { value: 'forbidden', count: 1 },
      { value: 'unauthenticated', count: 1 },
    ]);
    const byKey = await site.deadJson<{ value: string; count: number }[]>(['list', '--group-by', 'key']);
    expect(Object.fromEntries(byKey.map(({ value, count }) => [value, count]))).toMatchObject({
      cots: 1,
      uniqueid: 1,
      cost: 1,
    });
    const { stdout } = await site.dead(['list', '--group-by', 'machine']);
    expect(stdout).toMatch(/m-2 .*1 .*2\.5 USD/);
  });
});

describe('dead show', () => {
  it('shows the stored call beside a conflict and marks what differs', async () => {
    const [id = ''] = await site.ids(`uniqueid = 'ok-1'`);
    expect(await site.deadJson(['show', id])).toMatchObject({
      id: Number(id),
      reason: 'conflict',
      responses: [{ code: '400', key: 'uniqueid' }],
      call: { cost: '9', snumber: '556' },
      stored: { call: { cost: '1', snumber: '555' }, submitted_by: 'switch', charged: '1' },
      differences: [
        { parameter: 'snumber', stored: '555', received: '556' },
        { parameter: 'cost', stored: '1', received: '9' },
      ],
      history: [{ event: 'died' }],
    });
    const { stdout } = await site.dead(['show', id]);
    expect([...stdout.matchAll(/≠ +│ (\w+)/g)].map(([, name]) => name)).toEqual(['snumber', 'cost'].sort());
  });

  it('shows an unreadable body with its password masked', async () => {
    const [id = ''] = await site.ids(`uniqueid = 'a-7'`);
    const { stdout, code } = await site.dead(['show', id]);
    expect(code).toBe(0);
    expect(stdout).toContain('cannot be read');
    expect(stdout).toContain('***');
  });
});

describe('dead export', () => {
  it('writes JSON Lines, an array or CSV', async () => {
    const lines = (await site.dead(['export', '--customer', '701'])).stdout.trim().split('\n');
    expect(lines.map((line) => JSON.parse(line).uniqueid)).toEqual(['a-3', 'a-2']);
    expect(JSON.parse(JSON.parse(lines[1] ?? '').body)).toMatchObject({ uniqueid: 'a-2', currency: 'EUR' });
    expect(await site.deadJson(['export', '--customer', '700'])).toMatchObject([
      { uniqueid: 'a-1', cost: '2.5' },
    ]);
    const csv = (await site.dead(['export', '--csv', '--customer', '700'])).stdout.split('\r\n');
    expect(csv[0]).toMatch(/^id,reason,status,uniqueid/);
    expect(csv[1]).toMatch(/^\d+,rejected,dead,a-1,700,m-2,switch,2\.5,,1,0,/);
  });

  it('escapes cells that a spreadsheet would run as formulas', async () => {
    await site.submit({ uniqueid: '=cmd|x', scustomer: 702, cost: '-1.5' });
    const { stdout } = await site.dead(['export', '--csv', '--customer', '702']);
    expect(stdout).toContain(",'=cmd|x,702,");
    expect(stdout).toContain(',-1.5,');
  });

  it('writes a new file and never overwrites one', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'cdr-export-'));
    const file = join(folder, 'dead.jsonl');
    expect((await site.dead(['export', '--output', file, '--customer', '700'])).code).toBe(0);
    expect(readFileSync(file, 'utf8')).toContain('"a-1"');
    expect(await site.dead(['export', '--output', file])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('exists'),
    });
    await rm(folder, { recursive: true });
  });
});

describe('dead discard and dead prune', () => {
  it('discards with who and why, and prunes what is old enough', async () => {
    const [id = ''] = await site.ids(`uniqueid = 'a-1'`);
    expect((await site.dead(['discard'])).code).toBe(2);
    expect(await site.deadJson(['discard', id, '--why', 'a test call', '--yes'])).toEqual({
      discarded: 1,
      left_alone: 0,
    });
    expect((await site.dead(['discard', id, '--why', 'again', '--yes'])).code).toBe(1);
    expect(await site.deadJson(['show', id])).toMatchObject({
      status: 'discarded',
      history: [{ event: 'died' }, { event: 'discarded', by: 'boss', why: 'a test call' }],
    });
    expect(await site.deadJson(['replay', '--customer', '700'])).toMatchObject({ selected: 0 });

    expect(await site.deadJson(['prune', '--older-than', '90d'])).toMatchObject({
      pruned: 0,
      dry_run: false,
    });
    await site.db.execute(`update dead_letters set closed_at = now() - interval '91 days' where id = ${id}`);
    await site.db.execute(
      `update dead_letters set last_dead_at = now() - interval '91 days' where status = 'dead'`,
    );
    expect(await site.deadJson(['prune', '--older-than', '90d', '--dry-run'])).toEqual({
      pruned: 1,
      replays: 0,
      orders: 0,
      activity: 0,
      dry_run: true,
    });
    expect(await site.deadJson(['prune', '--older-than', '90d'])).toEqual({
      pruned: 1,
      replays: 0,
      orders: 0,
      activity: 0,
      dry_run: false,
    });
    expect(await site.ids(`uniqueid = 'a-1'`)).toEqual([]);
    expect(
      await site.db.rows(`select count(*)::text as left from dead_letter_events where dead_letter = ${id}`),
    ).toEqual([{ left: '0' }]);
    expect((await site.dead(['prune'])).code).toBe(2);
  });
});

it('no password appears in a table, a command, an export or a log', async () => {
  const [id = ''] = await site.ids(`uniqueid = 'a-5'`);
  await site.dead(['replay', id, '--reason', 'unauthenticated', '--unverified', '--set', 'note=x']);
  const outputs: string[] = [];
  for (const args of [['list'], ['export'], ['replay', '--all', '--dry-run', '--json'], ['show', id]]) {
    const { stdout, stderr } = await site.dead(args);
    outputs.push(stdout, stderr);
  }
  for (const each of await site.ids('true'))
    outputs.push(JSON.stringify(await readDeadLetterView(site.db.sql, each, 'USD')));
  const tables = await site.db.rows(
    `select (select string_agg(d::text, '') from dead_letters d) a, (select string_agg(e::text, '') from dead_letter_events e) b`,
  );
  const refusal = await runCommand(['dead', 'replay', '--all'], {
    ...site.environment,
    AMQP_URL: 'amqp://x:y@127.0.0.1:1',
  });
  const everything = [...outputs, JSON.stringify(tables), site.worker.output(), refusal.stderr].join('\n');
  expect(everything).toContain('a-5');
  expect(everything).not.toContain('canary');
});
