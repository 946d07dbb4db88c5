import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { outsider, until } from '../support/broker.ts';
import { type OperatorSite, openOperatorSite } from '../support/operators.ts';

let site: OperatorSite;

beforeAll(async () => {
  site = await openOperatorSite('dead-letters-runner');
  await site.db.execute(`insert into customers (id, name, currency) values (5, 'five', 'USD')`);
});

afterAll(async () => {
  await site?.close();
});

/** Refused calls as a worker leaves them behind: of a customer that exists by now, or that does not. */
async function deadLetters(prefix: string, count: number, customer: number): Promise<void> {
  await site.db.execute(`insert into dead_letters (reason, uniqueid, scustomer, machine, submitted_by, verified, responses, body, digest)
    select 'rejected', '${prefix}-' || n, ${customer}, '${prefix}', 'switch', true, '[]',
      json_build_object('uniqueid', '${prefix}-' || n, 'machine', 'm', 'start', 1700000000, 'scustomer', ${customer})::text,
      sha256(('${prefix}-' || n)::bytea)
    from generate_series(1, ${count}) n`);
}

const count = async (where: string) => (await site.ids(where)).length;

describe('dead replay', () => {
  it('stops when too many are refused again', async () => {
    await deadLetters('bad', 300, 404);
    const progress = await site.deadJson<{ sent: number; dead: number; ended: string }>([
      'replay',
      '--machine',
      'bad',
      '--abort-over',
      '5%',
    ]);
    expect(progress).toMatchObject({ selected: 300, resolved: 0, ended: 'too many failures' });
    expect(progress.sent).toBeLessThanOrEqual(20);
    expect(await count(`machine = 'bad' and status = 'dead'`)).toBe(300);
    expect(await count(`machine = 'bad' and replays = 0`)).toBe(300 - progress.sent);
  });

  it('keeps its rate and its limit, and prints its progress', async () => {
    await deadLetters('slow', 40, 5);
    const { code, stderr } = await site.dead([
      'replay',
      '--machine',
      'slow',
      '--rate',
      '5/s',
      '--limit',
      '30',
    ]);
    expect(code).toBe(0);
    expect(stderr).toMatch(/^\d+ of 30: \d+ resolved, 0 refused, [3-6]\/s, \d+ s left$/m);
    const [row] = await site.db.rows(
      `select extract(epoch from max(at) - min(at))::text as seconds from dead_letter_events e
       join dead_letters d on d.id = dead_letter where machine = 'slow' and event = 'replayed'`,
    );
    expect(Number(row?.seconds)).toBeGreaterThan(5);
    expect(await count(`machine = 'slow' and status = 'dead'`)).toBe(10);
  });

  it('waits on Ctrl-C for the replays in flight, and the same command finishes the rest', async () => {
    await deadLetters('int', 200, 5);
    const args = ['replay', '--machine', 'int', '--rate', '40'];
    const command = await site.startDead(args);
    await until(async () => (await count(`machine = 'int' and status = 'resolved'`)) > 10);
    command.child.kill('SIGINT');
    expect(await command.ended).toBe(1);
    expect(command.output()).toContain('rerun the command to continue');
    expect(await count(`machine = 'int' and status = 'replaying'`)).toBe(0);
    expect(await count(`machine = 'int' and status = 'dead'`)).toBeGreaterThan(0);
    expect((await site.dead(['replay', '--machine', 'int'])).code).toBe(0);
    expect(await count(`machine = 'int' and status = 'resolved'`)).toBe(200);
  });

  it('never includes what died after it had started', async () => {
    await deadLetters('early', 20, 5);
    const command = await site.startDead([
      'replay',
      '--customer',
      '5',
      '--status',
      'dead',
      '--rate',
      '5',
      '--machine',
      'early',
    ]);
    await until(async () => (await count(`machine = 'early' and status = 'resolved'`)) > 2);
    await site.db.execute(`insert into dead_letters (reason, uniqueid, scustomer, machine, body, digest)
      values ('rejected', 'late-1', 5, 'early', '{"uniqueid":"late-1","machine":"m","start":1,"scustomer":5}', '\\x02')`);
    expect(await command.ended).toBe(0);
    expect(await count(`machine = 'early' and status = 'resolved'`)).toBe(20);
    expect(await count(`uniqueid = 'late-1' and status = 'dead'`)).toBe(1);
  });

  it('continues rows that a killed replay had marked and not sent', async () => {
    await deadLetters('stuck', 3, 5);
    await site.db.execute(
      `update dead_letters set status = 'replaying', replays = 1 where machine = 'stuck'`,
    );
    expect(await site.deadJson(['replay', '--machine', 'stuck'])).toMatchObject({ resolved: 3 });
  });

  it('reports an unreachable broker in one line, and changes nothing', async () => {
    await deadLetters('alone', 1, 5);
    const result = await site.dead(['replay', '--machine', 'alone'], { AMQP_URL: 'amqp://x:y@127.0.0.1:1' });
    expect(result.code).toBe(1);
    expect(result.stderr).toMatch(/^cdr-ingest: .*127\.0\.0\.1:1.*\n$/);
    expect(await count(`machine = 'alone' and status = 'dead' and replays = 0`)).toBe(1);
  });
});

it('a replay that reaches no queue dies again, as unroutable', async () => {
  await deadLetters('poison', 1, 5);
  const other = await outsider(site.db.amqpUrl);
  await other.apart(async (channel) => {
    await channel.unbindQueue('cdrs.create', 'cdrs.intake', 'cdrs.create.#');
  });
  const { code } = await site.dead(['replay', '--machine', 'poison']);
  await other.apart(async (channel) => {
    await channel.bindQueue('cdrs.create', 'cdrs.intake', 'cdrs.create.#');
  });
  await other.close();
  expect(code).toBe(1);
  expect(
    await site.db.rows(`select reason, status, replays::text from dead_letters where machine = 'poison'`),
  ).toEqual([{ reason: 'unroutable', status: 'dead', replays: '1' }]);
});
