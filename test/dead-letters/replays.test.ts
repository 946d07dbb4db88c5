import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readActivity } from '../../src/store/activity.ts';
import { markReplaying, type Replayable, readReplayable } from '../../src/store/dead-letters/mark.ts';
import { createReplay, type Run } from '../../src/store/replays/create.ts';
import { type ReplayRow, readReplay, readReplays } from '../../src/store/replays/read.ts';
import { block } from '../support/blocker.ts';
import { until } from '../support/broker.ts';
import { type OperatorSite, openOperatorSite } from '../support/operators.ts';
import { answering, onTerminal } from '../support/terminal.ts';

let site: OperatorSite;

beforeAll(async () => {
  site = await openOperatorSite('replays');
  await site.db.execute(`insert into customers (id, name, currency) values (5, 'Old Mill Brewery', 'USD')`);
});

afterAll(async () => {
  await site?.close();
});

/** Refused calls as a worker leaves them behind: of a customer that exists by now, or that does not. */
async function deadLetters(
  machine: string,
  count: number,
  more: Record<string, unknown> = {},
): Promise<void> {
  const call = { machine, start: 1_700_000_000, scustomer: 5, cost: '0.5', ...more };
  await site.db.execute(`insert into dead_letters (reason, uniqueid, scustomer, machine, submitted_by, verified, responses, body,
      digest, cost)
    select 'rejected', '${machine}-' || n, ${call.scustomer}, '${machine}', 'switch', true, '[]',
      ('${JSON.stringify(call)}'::jsonb || jsonb_build_object('uniqueid', '${machine}-' || n))::text,
      sha256(('${machine}-' || n)::bytea), 0.5
    from generate_series(1, ${count}) n`);
}

const count = async (where: string) => (await site.ids(where)).length;

interface DryRunJson {
  id: string;
  rows: Record<string, unknown>[];
  leftAlone: { id: string; why: string }[];
}

/** Read where commands and pages read it: each command would take seconds on a busy machine. */
async function replayOf(id: string): Promise<ReplayRow> {
  const row = await readReplay(site.db.sql, id);
  if (row === undefined) throw new Error(`no replay ${id}`);
  return row;
}
/** A running replay of these dead letters that no process works on. */
async function runOf(letters: readonly Replayable[]): Promise<Run> {
  const order = { program: 'command' as const, operator: 'boss', why: null, filter: {}, correction: {} };
  const runner = randomUUID();
  const id = await createReplay(
    site.db.sql,
    { ...order, rate: null, abortOver: null },
    letters,
    'running',
    runner,
  );
  return { id, runner };
}

const latest = async () => (await readReplays(site.db.sql, { limit: 1 }))[0] as ReplayRow;

describe('what a dry run has tried', () => {
  it('is exactly what is replayed: not what died since, nor what was corrected since', async () => {
    await deadLetters('tried', 3);
    const tried = await site.deadJson<DryRunJson>(['replay', '--machine', 'tried', '--dry-run']);
    expect(tried.rows).toHaveLength(3);
    await site.db.execute(`update dead_letters set edits = '{"cost": "9"}' where uniqueid = 'tried-2'`);
    await site.db.execute(`update dead_letters set machine = 'tried' where machine = 'late'`);
    await deadLetters('late', 1);
    await site.db.execute(`update dead_letters set machine = 'tried' where machine = 'late'`);
    expect(await site.deadJson(['replay', '--dry-run-id', tried.id])).toMatchObject({
      id: tried.id,
      ...{ selected: 3, sent: 2, resolved: 2 },
      leftAlone: [{ why: 'changed since it was selected' }],
    });
    expect(await site.ids(`machine = 'tried' and status = 'dead'`)).toEqual(
      await site.ids(`uniqueid in ('tried-2', 'late-1')`),
    );
  });

  it('exits 1 where something that was left out is still dead', async () => {
    await deadLetters('left', 2);
    const { id } = await site.deadJson<DryRunJson>(['replay', '--machine', 'left', '--dry-run']);
    await site.db.execute(`update dead_letters set edits = '{"cost": "9"}' where uniqueid = 'left-1'`);
    expect((await site.dead(['replay', '--dry-run-id', id])).code).toBe(1);
    const ids = await site.ids(`machine = 'left' and status = 'dead'`);
    expect((await site.dead(['replay', ...ids, '--rename', 'colour=note'])).code).toBe(1);
    expect((await site.dead(['replay', ...ids])).code).toBe(0);
  });

  it('exits 0 where something was left out because it has been resolved since', async () => {
    await deadLetters('meanwhile', 2);
    const { id } = await site.deadJson<DryRunJson>(['replay', '--machine', 'meanwhile', '--dry-run']);
    await site.dead(['replay', '--uniqueid', 'meanwhile-1']);
    expect((await site.dead(['replay', '--dry-run-id', id])).code).toBe(0);
  });

  it('is replayed once: a second start is refused, and names it', async () => {
    await deadLetters('once', 1);
    const { id } = await site.deadJson<DryRunJson>(['replay', '--machine', 'once', '--dry-run']);
    expect((await site.dead(['replay', '--dry-run-id', id])).code).toBe(0);
    expect(await site.dead(['replay', '--dry-run-id', id])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining(`dry run ${id} has been replayed already: it is done, started by boss`),
    });
  });

  it('is refused when it is a day old', async () => {
    await deadLetters('old', 1);
    const { id } = await site.deadJson<DryRunJson>(['replay', '--machine', 'old', '--dry-run']);
    await site.db.execute(`update replays set ended_at = now() - interval '25 hours' where id = ${id}`);
    expect(await site.dead(['replay', '--dry-run-id', id])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('older than 24 hours'),
    });
    expect(await count(`machine = 'old' and replays = 0`)).toBe(1);
  });

  it('is not limited or corrected again: that was settled when it was made', async () => {
    for (const more of [['42'], ['--set', 'cost=1'], ['--machine', 'm'], ['--limit', '1'], ['--dry-run']])
      expect(await site.dead(['replay', '--dry-run-id', '1', ...more])).toMatchObject({
        code: 2,
        stderr: expect.stringContaining('--dry-run-id: expected without'),
      });
  });
});

describe('a dry run', () => {
  it('says for each call the invoice that it would go to, and warns where none would take it', async () => {
    await site.db.execute(`insert into invoices (id, customer, currency, period_start, period_end, status)
      values (77, 5, 'USD', to_timestamp(1600000000), to_timestamp(1700000001), 'open')`);
    await deadLetters('billed', 2, { update_invoices: 1 });
    await deadLetters('unbilled', 2, { update_invoices: 1, start: 1_800_000_000 });
    const ids = await site.ids(`machine in ('billed', 'unbilled')`);
    const { rows } = await site.deadJson<DryRunJson>(['replay', ...ids, '--dry-run']);
    expect(
      rows.map(({ invoice, uninvoiced, customer_name }) => ({ invoice, uninvoiced, customer_name })),
    ).toEqual([
      ...Array(2).fill({ invoice: 77, uninvoiced: false, customer_name: 'Old Mill Brewery' }),
      ...Array(2).fill({ invoice: null, uninvoiced: true, customer_name: 'Old Mill Brewery' }),
    ]);
    const { stdout, code } = await site.dead(['replay', ...ids, '--dry-run']);
    expect(code).toBe(0);
    expect(stdout).toContain('5 Old Mill Brewery');
    expect(stdout).toMatch(/│ 77 +│ 2 +│ 1 USD/);
    expect(stdout).toContain('WARNING: 2 calls would be on no invoice, though update_invoices is 1: 1 USD');
    expect(stdout).toMatch(/cdr-ingest dead replay --dry-run-id \d+/);
    expect(await count(`machine in ('billed', 'unbilled') and status = 'dead' and replays = 0`)).toBe(4);
  });

  it('exits 1 where any would stay dead', async () => {
    await deadLetters('stays', 1);
    await deadLetters('stays-2', 1, { scustomer: 404 });
    expect((await site.dead(['replay', '--machine', 'stays', '--dry-run'])).code).toBe(0);
    expect((await site.dead(['replay', '--machine', 'stays-2', '--dry-run'])).code).toBe(1);
  });

  it('counts no money of senders who are not verified, and says so', async () => {
    await deadLetters('forged', 1);
    await site.db.execute(`update dead_letters set verified = false where machine = 'forged'`);
    const { stdout } = await site.dead(['replay', '--machine', 'forged', '--unverified', '--dry-run']);
    expect(stdout).toContain(
      'not counted above: 1 call of unverified senders, who only claim to be theirs: 0.5 USD',
    );
    expect(stdout).not.toContain('Old Mill Brewery');
  });
});

describe('a running replay', () => {
  it('keeps another one from the same dead letters, is stopped from elsewhere, and goes on with the rest', async () => {
    await deadLetters('both', 100);
    const first = await site.startDead(['replay', '--machine', 'both', '--rate', '2']);
    await until(async () => (await count(`machine = 'both' and status = 'resolved'`)) > 3);
    const { id } = await latest();
    expect(await site.dead(['replay', '--machine', 'both'])).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(
        new RegExp(
          `replay ${id}, started by boss, has \\d+ of these dead letters in hand: wait for it, or stop it`,
        ),
      ),
    });
    expect(await site.dead(['replay', '--resume', id])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining(`it is running, started by boss`),
    });
    expect(await site.dead(['stop', id])).toMatchObject({ code: 0 });
    expect(await first.ended).toBe(1);
    const stopped = await replayOf(id);
    expect(stopped).toMatchObject({ kind: 'replay', state: 'stopped', problem: 'stopped by boss' });
    expect(stopped.resolved).toBe(await count(`machine = 'both' and status = 'resolved'`));
    expect(stopped.resolved).toBeLessThan(100);
    expect((await site.dead(['stop', id])).code).toBe(1);

    const faster = ['replay', '--resume', id, '--rate', '1000'];
    expect(await site.deadJson(faster)).toMatchObject({ id, sent: 100, resolved: 100 });
    expect(await replayOf(id)).toMatchObject({ state: 'done', sent: 100, resolved: 100 });
    expect(await site.db.rows(`select count(*)::text as n from cdrs where machine = 'both'`)).toEqual([
      { n: '100' },
    ]);
    expect(await count(`machine = 'both' and replays > 1`)).toBe(0);
    const acts = await readActivity(site.db.sql, { limit: 5 });
    expect(
      acts.map(({ act, who, program, detail }) => ({ act, who, program, replay: detail.replay })),
    ).toEqual(
      ['replay ended', 'replay resumed', 'replay ended', 'replay stopped', 'replay started'].map((act) => ({
        act,
        ...{ who: 'boss', program: 'command', replay: Number(id) },
      })),
    );
  });

  it('that was killed is interrupted, and is resumed by its number', async () => {
    await deadLetters('killed', 60);
    const first = await site.startDead(['replay', '--machine', 'killed', '--rate', '10']);
    await until(async () => (await count(`machine = 'killed' and status = 'resolved'`)) > 5);
    first.child.kill('SIGKILL');
    await first.ended;
    const { id } = await latest();
    await until(async () => (await replayOf(id)).state === 'interrupted');
    await site.db.execute(`update replays set resolved = 0, sent = 0 where id = ${id}`);
    expect(await replayOf(id)).toMatchObject({
      resolved: await count(`machine = 'killed' and status = 'resolved'`),
    });
    expect((await site.dead(['replays'])).stdout).toContain('interrupted');
    expect(await site.deadJson(['replay', '--resume', id])).toMatchObject({ resolved: 60 });
    const { letters } = await site.deadJson<{ letters: { result: string }[] }>([
      'replays',
      id,
      '--limit',
      '500',
    ]);
    expect(letters).toHaveLength(60);
    expect(new Set(letters.map(({ result }) => result))).toEqual(new Set(['resolved']));
    expect(await site.db.rows(`select count(*)::text as n from cdrs where machine = 'killed'`)).toEqual([
      { n: '60' },
    ]);
  });

  it('sends nothing more once another process has taken it over', async () => {
    await deadLetters('taken', 100);
    const first = await site.startDead(['replay', '--machine', 'taken', '--rate', '2']);
    await until(async () => (await count(`machine = 'taken' and status = 'resolved'`)) > 3);
    const { id } = await latest();
    await site.db.execute(`update replays set runner = gen_random_uuid() where id = ${id}`);
    const sent = await count(`machine = 'taken' and replays = 1`);
    expect(await first.ended).toBe(1);
    expect(await count(`machine = 'taken' and replays = 1`)).toBe(sent);
    expect(await replayOf(id)).toMatchObject({ state: 'running' });
  });

  it('waits no longer for what it has sent when its row is deleted by SQL', async () => {
    await deadLetters('deleted', 2);
    const blocker = await block(site.db, 'select from customers where id = 5 for update');
    try {
      const replay = site.deadJson(['replay', '--machine', 'deleted']);
      await until(async () => (await count(`machine = 'deleted' and status = 'replaying'`)) === 2);
      await site.db.execute(`delete from dead_letters where uniqueid = 'deleted-1'`);
      await blocker.end();
      expect(await replay).toMatchObject({ sent: 2, resolved: 1, takenOver: 1 });
    } finally {
      await blocker.end();
    }
  });

  it.each([
    ['another process has taken it over', `runner = gen_random_uuid()`],
    ['somebody has asked it to stop', `stop_by = 'boss'`],
    ['it was stopped', `state = 'stopped'`],
  ])('marks nothing from the moment on that %s', async (_, change) => {
    await deadLetters('fenced', 1);
    const { sql } = site.db;
    const ids = await site.ids(`machine = 'fenced'`);
    const rows = await readReplayable(sql, ids);
    const run = await runOf(rows);
    await site.db.execute(`update replays set ${change} where id = ${run.id}`);
    const marks = rows.map((row) => ({ ...row, tokenHash: '00'.repeat(32) }));
    expect(await markReplaying(sql, run, marks)).toBeNull();
    expect(await count(`machine = 'fenced' and replays = 0`)).toBe(1);
    await site.db.execute(`delete from dead_letters where machine = 'fenced'`);
    await site.db.execute(`delete from replay_letters where replay = ${run.id}`);
    await site.db.execute(`delete from replays where id = ${run.id}`);
  });

  it('leaves corrections as they were when it is resumed: its own are no changes by others', async () => {
    await deadLetters('mended', 60, { scustomer: 404 });
    const args = ['--machine', 'mended', '--set', 'scustomer=5', '--why', 'moved', '--rate', '10'];
    const first = await site.startDead(['replay', ...args]);
    await until(async () => (await count(`machine = 'mended' and status = 'resolved'`)) > 3);
    first.child.kill('SIGINT');
    expect(await first.ended).toBe(1);
    const { id } = await latest();
    expect(await site.deadJson(['replay', '--resume', id])).toMatchObject({ resolved: 60, leftAlone: [] });
  });
});

describe('on a terminal', () => {
  it('a replay shows whose money it is about, and asks', async () => {
    await deadLetters('asked', 2);
    const args = ['dead', 'replay', '--machine', 'asked'];
    const no = await onTerminal(args, site.environment, answering('n'));
    expect(no).toMatchObject({ code: 1, output: expect.stringContaining('2 dead letters to be replayed') });
    expect(no.output).toContain('5 Old Mill Brewery');
    expect(no.output).toContain('Nothing was done.');
    expect(await count(`machine = 'asked' and replays = 0`)).toBe(2);
    expect((await onTerminal(args, site.environment, answering('y'))).code).toBe(0);
    expect(await count(`machine = 'asked' and status = 'resolved'`)).toBe(2);
  });
});

it('a replay without ids and filters needs --all', async () => {
  expect(await site.dead(['replay'])).toMatchObject({ code: 2, stderr: expect.stringContaining('--all') });
});

it('an empty selection is no replay', async () => {
  const before = await latest();
  expect(await site.dead(['replay', '--machine', 'nobody'])).toMatchObject({
    code: 0,
    stdout: 'nothing to replay\n',
  });
  expect(await latest()).toEqual(before);
});

it('prune removes old replays, with their letters, old activity, and orders that were answered long ago', async () => {
  await site.db.execute(`insert into correction_orders (id, operation, uniqueid, follows, operator, why, program, seal, answered_at)
    values ('old', 'void', 'u', '', 'boss', 'why', 'command', '', '2020-01-01'),
      ('new', 'void', 'u', '', 'boss', 'why', 'command', '', now()),
      ('open', 'void', 'u', '', 'boss', 'why', 'command', '', null)`);
  await site.db.execute(`update replays set ended_at = '2020-01-01', alive_at = '2020-01-01'`);
  await site.db.execute(`update activity set at = '2020-01-01'`);
  const expected = await site.deadJson<{ replays: number; orders: number; activity: number }>([
    ...['prune', '--older-than', '90d', '--dry-run'],
  ]);
  expect(expected.replays).toBeGreaterThan(5);
  expect(expected.orders).toBe(1);
  expect(await site.deadJson(['prune', '--older-than', '90d'])).toMatchObject({
    ...expected,
    dry_run: false,
  });
  const [left] = await site.db.rows(
    `select (select count(*) from replay_letters)::text as letters, (select count(*) from activity)::text as acts`,
  );
  expect(left).toEqual({ letters: '0', acts: '0' });
  expect(await site.db.rows('select id from correction_orders order by id')).toEqual([
    { id: 'new' },
    { id: 'open' },
  ]);
});

it('prune leaves a replay alone that a process is at work on, however little time is asked for', async () => {
  const states = await site.db.rows(`insert into replays (state, program, operator, alive_at, ended_at)
    select state, 'command', 'prune-test', now() - age * interval '1 second', case state when 'done' then now() end
    from (values ('running', 0), ('trying', 1), ('running', 60), ('done', 0)) as given(state, age) returning id`);
  expect(states).toHaveLength(4);
  expect((await site.dead(['prune', '--older-than', '0s'])).code).toBe(0);
  expect(await site.db.rows(`select state from replays where operator = 'prune-test' order by id`)).toEqual([
    { state: 'running' },
    { state: 'trying' },
  ]);
  await site.db.execute(`delete from replays where operator = 'prune-test'`);
});
