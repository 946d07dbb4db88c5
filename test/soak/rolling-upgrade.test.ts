import { afterAll, beforeAll, expect, it } from 'vitest';
import { openDatabase } from '../../src/store/database.ts';
import { reconcile } from '../../src/store/reconcile.ts';
import { runInProcess } from '../support/in-process.ts';
import { ask } from '../support/migrating.ts';
import { fillOldTables, pastCallsOf } from '../support/old-tables.ts';
import { cheapHash } from '../support/password.ts';
import { testServices, testStack } from '../support/stack.ts';
import { openSteadyLoad, type SteadyLoad } from '../support/steady-load.ts';
import { buildVersion, FIRST_VERSION, isKnown, type OlderVersion } from '../support/version.ts';
import { startProcess, type WorkerProcess } from '../support/worker.ts';

const FROM = process.env.UPGRADE_FROM || FIRST_VERSION;
const PASSWORD = 'right-one';
const SIZES = {
  calls: Number(process.env.UPGRADE_CALLS || 200_000),
  deadLetters: Number(process.env.UPGRADE_DEAD_LETTERS || 50_000),
};
const LOAD = { perSecond: Number(process.env.UPGRADE_RATE || 100), perPhase: 1000, seed: 6001 };
/** Calls of the load that are made old, pruned, and sent again. */
const PRUNED = 20;
const PRUNED_AGAIN = 'pruned calls at old workers';
const LIMIT_MS = 1_800_000;

let services: Awaited<ReturnType<typeof testServices>>;
let older: OlderVersion | undefined;
let environment: Record<string, string>;
let load: SteadyLoad;
const running: WorkerProcess[] = [];

beforeAll(async () => {
  if (!isKnown(FROM)) return;
  older = await buildVersion(FROM);
  services = await testServices('upgrade');
  const { managementUrl = '' } = await testStack();
  environment = {
    DATABASE_URL: services.databaseUrl,
    AMQP_URL: services.amqpUrl,
    AMQP_MANAGEMENT_URL: managementUrl,
    CDR_USERNAME: 'boss',
    CDR_PASSWORD: PASSWORD,
  };
  for (const command of ['migrate', 'topology']) await finished(command, older.cli);
  await fillOldTables(services.databaseUrl, await cheapHash(PASSWORD), SIZES);
  load = await openSteadyLoad(services.amqpUrl, PASSWORD, LOAD);
}, LIMIT_MS);

afterAll(async () => {
  for (const worker of running) worker.child.kill('SIGKILL');
  await Promise.all(running.map(({ ended }) => ended));
  await load?.close();
  await services?.drop();
  older?.remove();
});

/** Runs a command as a process to its end; returns what it wrote. */
async function finished(command: string, cli?: string): Promise<string> {
  const child = await startProcess(command.split(' '), environment, cli);
  expect([command, await child.ended, child.output()]).toEqual([command, 0, expect.anything()]);
  return child.output();
}

async function exitCode(command: string, cli?: string): Promise<number | null> {
  return await (await startProcess([command], environment, cli)).ended;
}

async function worker(cli?: string): Promise<WorkerProcess> {
  const started = await startProcess(['worker'], { ...environment, HTTP_PORT: '0' }, cli);
  running.push(started);
  await started.logged('"queue":"cdrs.create","state":"consuming"');
  return started;
}

/** One worker after the other: the new one consumes before the old one is told to end. */
async function replaceWorkers(cli?: string): Promise<void> {
  for (const old of [...running]) {
    await worker(cli);
    expect(await old.stop()).toBe(0);
    running.splice(running.indexOf(old), 1);
  }
}

const rows = (text: string) => ask(services.databaseUrl, text);

it(
  'a rolling upgrade from the first version under load, and back, loses nothing and charges nothing twice',
  async ({ skip }) => {
    skip(older === undefined, `commit ${FROM} is not in the history of this checkout`);
    const cli = older?.cli;
    await Promise.all([worker(cli), worker(cli)]);
    await load.phase('two old workers', async () => undefined);
    await load.phase('migrate', () => finished('migrate'));
    await load.phase('new workers, one by one', () => replaceWorkers());
    await load.phase('topology --migrate', () => finished('topology --migrate'));
    await finished('topology --check');
    const pruned = await pastCallsOf(services.databaseUrl, PRUNED);
    await load.phase('prune', async () => {
      await finished('prune --months 12');
      load.repeatPruned(pruned);
    });
    await load.phase('back: old workers', () => replaceWorkers(cli));
    await load.phase(PRUNED_AGAIN, async () => load.repeatPruned(pruned));
    await load.phase('new workers again', () => replaceWorkers());
    await load.stop();
    await finished('topology --check');
    // What old workers have refused since the first time.
    expect(await finished('migrate')).toContain('can be searched and grouped now');

    const table = load.seen();
    const found = await rows(
      `select (select count(*)::int from cdrs) as stored, (select count(*)::int from past_calls) as past,
       (select sum(calls)::int from customers) as charged,
       (select count(*)::int from dead_letters where reason = 'failed') as failed`,
    );
    const known = new Set((await rows('select uniqueid from known_calls')).map(({ uniqueid }) => uniqueid));
    const lost = [...load.calls.keys()].filter((uniqueid) => !known.has(uniqueid));
    const due = SIZES.calls + load.calls.size;
    console.table(table);
    console.log(
      JSON.stringify({
        from: FROM,
        before: SIZES,
        messages: load.sent.length,
        calls: load.calls.size,
        lost: lost.length,
        doubled: Number(found[0]?.charged) - due,
        pruned: pruned.length,
        ...found[0],
      }),
    );

    expect(table.map(({ unanswered }) => unanswered)).toEqual(table.map(() => 0));
    expect(lost).toEqual([]);
    expect(pruned).toHaveLength(PRUNED);
    expect(found).toMatchObject([{ charged: due, stored: due - Number(found[0]?.past) }]);
    expect(await balances()).toEqual(balancesDue());
    expect(load.codes('new')).toEqual(['204']);
    expect(load.codes('repeat')).toEqual(['204']);
    expect(load.codes('refused')).toEqual(['400']);
    expect(load.codes('pruned', 'prune')).toEqual(['204']);
    // The first version knows nothing of pruned calls: the database refuses it every one.
    expect([['204'], ['400']]).toContainEqual(load.codes('pruned', PRUNED_AGAIN));
    expect(await drift()).toBe(0);

    // It takes sums of pruned calls for drift.
    if (FROM === FIRST_VERSION) expect(await exitCode('reconcile', cli)).toBe(1);

    // What it was refused is a dead letter, and a duplicate when this version gets it.
    const replay = await runInProcess(
      ['dead', 'replay', '--reason', 'failed', '--unverified', '--why', 'it was an older version', '--yes'],
      environment,
    );
    expect([replay.code, replay.stdout, replay.stderr]).toEqual([0, expect.anything(), expect.anything()]);
    expect(
      await rows(`select status from dead_letters where reason = 'failed' and status <> 'resolved'`),
    ).toEqual([]);
    expect(await balances()).toEqual(balancesDue());
    expect(await drift()).toBe(0);
  },
  LIMIT_MS,
);

async function drift(): Promise<number> {
  const database = openDatabase({
    url: services.databaseUrl,
    applicationName: 'upgrade',
    poolSize: 2,
    statementTimeoutMs: 60_000,
    connectTimeoutMs: 10_000,
  });
  const { proofs } = await reconcile(database).finally(() => database.close(5000));
  return proofs.reduce((sum, proof) => sum + proof.drift, 0);
}

/** In millionths; the customer of the calls from before the load is left out. */
async function balances(): Promise<Record<string, string>> {
  const found = await rows(
    'select id, (balance * 1000000)::bigint::text as balance from customers where id <= 3',
  );
  return Object.fromEntries(found.map(({ id, balance }) => [String(id), String(balance)]));
}

function balancesDue(): Record<string, string> {
  const due: Record<string, bigint> = { 1: 0n, 2: 0n, 3: 0n };
  for (const { customer, cost } of load.calls.values())
    due[customer] = (due[customer] ?? 0n) - cost - cost / 5n;
  return Object.fromEntries(Object.entries(due).map(([id, balance]) => [id, String(balance)]));
}
