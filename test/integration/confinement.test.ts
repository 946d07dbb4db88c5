import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runInProcess } from '../support/in-process.ts';
import { callOf, type OperatorSite, openOperatorSite, PASSWORD } from '../support/operators.ts';
import { startProcess, type WorkerProcess } from '../support/worker.ts';

let site: OperatorSite;
/** Knows users as they were when it started. */
let worker: WorkerProcess;

const ANY = { machines: null, customers: null };

beforeAll(async () => {
  site = await openOperatorSite('confinement');
  worker = site.worker;
});
afterAll(async () => {
  await worker?.stop();
  await site?.close();
});

/** The confinement of the switch as a worker that starts now finds it. */
async function confine(lists: { machines: string | null; customers: string | null }): Promise<void> {
  const literal = (text: string | null) => (text === null ? 'null' : `'${text}'`);
  await site.db.execute(
    `update users set machines = ${literal(lists.machines)}, customers = ${literal(lists.customers)} where username = 'switch'`,
  );
  await worker.stop();
  const services = { DATABASE_URL: site.db.databaseUrl, AMQP_URL: site.db.amqpUrl, HTTP_PORT: '0' };
  worker = await startProcess(['worker'], services);
  await worker.logged('"queue":"cdrs.create","state":"consuming"');
}

async function codes(parameters: Record<string, unknown>): Promise<string[]> {
  return (await site.submit(parameters)).map(({ code, key }) => `${code} ${key}`.trim());
}

const reasons = (uniqueid: string) =>
  site.db.rows(
    `select reason, status, submitted_by, verified::text from dead_letters where uniqueid = '${uniqueid}' order by id`,
  );

describe('a user who is confined', () => {
  it('stores calls of its machines and customers only', async () => {
    await confine({ machines: '{m-1,m-2}', customers: '{1}' });
    expect(await codes({ uniqueid: 'in', machine: 'm-2' })).toEqual(['204']);
    expect(await codes({ uniqueid: 'machine', machine: 'm-3' })).toEqual(['402']);
    expect(await codes({ uniqueid: 'customer', scustomer: 2 })).toEqual(['402']);
    expect(await codes({ uniqueid: 'asked', machine: 'm-3', validation: 1 })).toEqual(['402']);
    expect(await codes({ uniqueid: 'more', machine: 'm-3', peer: 9999, zebra: 1 })).toEqual(['402']);
    expect(await codes({ uniqueid: 'unreadable', machine: '' })).toEqual(['400 machine']);
    expect(await site.db.rows('select uniqueid from cdrs')).toEqual([{ uniqueid: 'in' }]);
    for (const uniqueid of ['machine', 'customer', 'asked', 'more'])
      expect(await reasons(uniqueid)).toEqual([
        { reason: 'forbidden', status: 'dead', submitted_by: 'switch', verified: 'true' },
      ]);
  });

  it('gets the same answer about stored calls as before its confinement changed', async () => {
    await confine(ANY);
    expect(await codes({ uniqueid: 'before', machine: 'm-9' })).toEqual(['204']);
    await confine({ machines: '{m-1}', customers: null });
    const again = await site.client.submit({
      body: JSON.stringify(callOf({ uniqueid: 'before', machine: 'm-9' })),
    });
    expect(again).toMatchObject({ responses: [{ code: '204' }], isDuplicate: true });
    expect(await codes({ uniqueid: 'before', machine: 'm-9', validation: 1 })).toEqual(['201']);
    expect(await codes({ uniqueid: 'before', machine: 'm-9', cost: 9 })).toEqual(['400 uniqueid']);
  });

  it('learns nothing of a stored call of others, whatever it guesses', async () => {
    await confine(ANY);
    expect(await codes({ uniqueid: 'theirs', scustomer: 2, cost: '1.50' })).toEqual(['204']);
    await confine({ machines: null, customers: '{1}' });
    const { responses } = await site.client.submit({
      body: JSON.stringify(callOf({ uniqueid: 'theirs', scustomer: 1, cost: '1.50' })),
    });
    expect(responses).toEqual([
      { code: '400', key: 'uniqueid', message: 'already stored with different content' },
    ]);
    const [deadLetter] = await site.db.rows(
      `select differences -> 0 ->> 'parameter' as parameter from dead_letters where uniqueid = 'theirs'`,
    );
    expect(deadLetter).toEqual({ parameter: 'scustomer' });
  });

  it('to nothing at all stores nothing', async () => {
    await confine({ machines: null, customers: '{}' });
    expect(await codes({ uniqueid: 'nothing' })).toEqual(['402']);
  });

  it('does not confine the operator who replays its call', async () => {
    await confine({ machines: '{m-1}', customers: null });
    expect(await codes({ uniqueid: 'replayed', machine: 'm-3' })).toEqual(['402']);
    const { code } = await site.dead(['replay', '--uniqueid', 'replayed', '--reason', 'forbidden']);
    expect(code).toBe(0);
    expect(await site.db.rows(`select replayed_by from cdrs where uniqueid = 'replayed'`)).toEqual([
      { replayed_by: 'boss' },
    ]);
    expect(await reasons('replayed')).toMatchObject([{ reason: 'forbidden', status: 'resolved' }]);
  });

  it('is confined within a minute by the command, without a restart', async () => {
    await confine(ANY);
    expect(await codes({ uniqueid: 'free', machine: 'm-5' })).toEqual(['204']);
    const added = startProcess(['user', 'add', 'switch', '--role', 'system', '--machine', 'm-1'], {
      DATABASE_URL: site.db.databaseUrl,
    });
    const command = await added;
    command.child.stdin?.end(PASSWORD);
    expect(await command.ended).toBe(0);
    const since = performance.now();
    let answer: string[] = [];
    for (let turn = 0; answer[0] !== '402' && performance.now() - since < 60_000; turn += 1) {
      answer = await codes({ uniqueid: `turn ${turn}`, machine: 'm-5' });
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
    expect(answer).toEqual(['402']);
    const { stdout } = await runInProcess(['user', 'list'], { DATABASE_URL: site.db.databaseUrl });
    expect(stdout).toMatch(/switch.*system.*yes.*m-1.*any/);
  });
});
