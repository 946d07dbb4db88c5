import { afterAll, beforeAll, expect, it } from 'vitest';
import { openDatabase } from '../../src/store/database.ts';
import { migrate, pendingMigrations } from '../../src/store/migrate.ts';
import { prunePages } from '../../src/store/prune.ts';
import { reconcile } from '../../src/store/reconcile.ts';

import { until } from '../support/broker.ts';
import { PASSWORD } from '../support/faults.ts';
import { ask, MigrationFolders } from '../support/migrating.ts';
import { migrations } from '../support/migrations.ts';
import { cheapHash } from '../support/password.ts';
import { testServices } from '../support/stack.ts';
import { openSwitch, type TestSwitch } from '../support/switch.ts';
import { buildVersion, FIRST_VERSION, type OlderVersion } from '../support/version.ts';
import { startProcess, type WorkerProcess } from '../support/worker.ts';

/** A size at which what reads or writes a whole table takes seconds. */
const DEAD_LETTERS = Number(process.env.SOAK_DEAD_LETTERS || 1_500_000);
const SEED = 6101;
/** Migrations of the version that landed first. */
const FIRST = 2;
const SAMPLE_MS = 20;
const PATIENCE_MS = 300_000;
const MIGRATED_MS = 3_000_000;

let services: Awaited<ReturnType<typeof testServices>>;
let version: OlderVersion;
let calls: TestSwitch;
const folders = new MigrationFolders();

beforeAll(async () => {
  version = await buildVersion(FIRST_VERSION);
  services = await testServices('upgrade');
  const url = services.databaseUrl;
  await migrate(url, { folder: folders.of(migrations.slice(0, FIRST)) });
  await ask(
    url,
    `insert into currencies (code, rate) values ('USD', 1);
    insert into customers (id, name, currency) select n, 'customer', 'USD' from generate_series(1, 3) n;
    insert into taxes (id, name, rate) values (1, 'VAT', 20);
    insert into users (username, password_hash, role) values ('switch', '${await cheapHash(PASSWORD)}', 'system');
    insert into dead_letters (reason, status, uniqueid, scustomer, machine, submitted_by, responses, body, digest)
    select case n % 3 when 0 then 'conflict' when 1 then 'rejected' else 'failed' end, case n % 4 when 0 then 'resolved' else 'dead' end,
      'old-' || n, n % 1000, 'm', 'switch', '[{"code":"400","key":"cost","message":"not a number"}]',
      json_build_object('uniqueid', 'old-' || n, 'machine', 'm', 'start', 1650000000 + n, 'scustomer', n % 1000, 'snumber', '4930' || n,
        'dnumber', '4940' || n, 'cost', '1.5', 'currency', 'USD', 'note', repeat('x', 100))::text, sha256(int4send(n))
    from generate_series(1, ${DEAD_LETTERS}) n`,
  );
  await ask(url, 'analyze');
  calls = await openSwitch(services.amqpUrl, PASSWORD, SEED);
}, 900_000);

afterAll(async () => {
  folders.remove();
  await calls?.close();
  await services?.drop();
  version?.remove();
});

/** Waits until so many more messages are answered, however slow the machine is. */
async function moreAnswered(count: number): Promise<void> {
  const answered = () => calls.messages - calls.unanswered;
  const target = answered() + count;
  await until(() => answered() >= target, PATIENCE_MS);
}

async function worker(environment: Record<string, string>, cli?: string): Promise<WorkerProcess> {
  const started = await startProcess(['worker'], environment, cli);
  await started.logged('"queue":"cdrs.create","state":"consuming"');
  return started;
}

/** Milliseconds of the longest time without an answer until `stop`, and of the longest time that `migrate` kept others out of a table. */
function watch(url: string) {
  let [seen, since, longest, locked, lockedMs] = [0, performance.now(), 0, 0, 0];
  const answers = setInterval(() => {
    const answered = calls.messages - calls.unanswered;
    const now = performance.now();
    longest = Math.max(longest, now - since);
    if (answered !== seen) [seen, since] = [answered, now];
  }, SAMPLE_MS);
  const database = openDatabase({
    url,
    poolSize: 1,
    statementTimeoutMs: 20_000,
    connectTimeoutMs: 10_000,
    applicationName: 'upgrade',
  });
  const HOLDS = `select coalesce(max(extract(epoch from clock_timestamp() - a.xact_start) * 1000), 0)::float8 as ms
    from pg_locks l join pg_stat_activity a using (pid) join pg_class c on c.oid = l.relation
    where l.mode in ('AccessExclusiveLock', 'ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock') and l.granted
      and a.application_name = 'cdr-ingest migrate' and c.relname in ('cdrs', 'dead_letters', 'customers', 'invoices')`;
  let stopped = false;
  const looking = (async () => {
    while (!stopped) {
      const [row] = await database.prisma.$queryRawUnsafe<{ ms: number }[]>(HOLDS);
      locked = row?.ms ?? 0;
      lockedMs = Math.max(lockedMs, locked);
      await new Promise((resolve) => setTimeout(resolve, SAMPLE_MS));
    }
  })();
  return async () => {
    clearInterval(answers);
    stopped = true;
    await looking;
    await database.close(5000);
    return { longestPauseMs: Math.round(longest), longestLockMs: Math.round(lockedMs) };
  };
}

it('from the first version to this one and back, with many dead letters and under load, nobody waits and nothing is lost', async () => {
  const url = services.databaseUrl;
  const environment = { DATABASE_URL: url, AMQP_URL: services.amqpUrl, HTTP_PORT: '0' };
  const old = await worker(environment, version.cli);
  const load = calls.keepSending();
  await moreAnswered(1000);

  const steady = watch(url);
  await moreAnswered(10_000);
  const before = await steady();

  const during = watch(url);
  const started = performance.now();
  const migration = await startProcess(['migrate'], environment);
  // Workers do not wait for what it does then: it makes older dead letters searchable, a hundred at a time.
  await until(async () => (await pendingMigrations(url)).length === 0, MIGRATED_MS);
  const migrateMs = Math.round(performance.now() - started);
  const upgrade = await during();

  const rolling = watch(url);
  const current = await worker(environment);
  expect(await old.stop()).toBe(0);
  await moreAnswered(5000);
  const forth = await rolling();

  const database = openDatabase({
    url,
    poolSize: 2,
    statementTimeoutMs: 600_000,
    connectTimeoutMs: 10_000,
    applicationName: 'upgrade',
  });
  const rules = { openStatuses: ['open'], withUninvoiced: true };
  await prunePages(database.sql, 'infinity', { from: 0, to: 1_000_000 }, false, rules);

  const rollingBack = watch(url);
  const again = await worker(environment, version.cli);
  await moreAnswered(3000);
  expect(await current.stop()).toBe(0);
  await moreAnswered(3000);
  const back = await rollingBack();

  await load.stop();
  await until(() => calls.unanswered === 0, PATIENCE_MS);
  // The first version knows nothing of pruned calls.
  const [pruned] = calls.calls.values();
  if (pruned === undefined) throw new Error('no call was sent');
  await calls.send([{ call: pruned, correlationId: 'pruned' }]);
  await until(() => calls.heard('pruned').length > 0);
  const parked = await ask(
    url,
    `select reason, error from dead_letters where uniqueid = '${pruned.uniqueid}'`,
  );
  expect(parked).toEqual([{ reason: 'failed', error: expect.stringContaining('has been pruned') }]);
  await Promise.all([again.stop(), migration.stop()]);

  const { proofs } = await reconcile(database);
  await database.close(5000);
  const [stored] = await ask(
    url,
    'select count(*)::int as calls, (select sum(calls)::int from customers) as charged from known_calls',
  );
  console.log(
    JSON.stringify({
      deadLetters: DEAD_LETTERS,
      messages: calls.messages,
      migrateMs,
      before,
      upgrade,
      forth,
      back,
      stored,
    }),
  );
  expect(stored).toEqual({ calls: calls.calls.size, charged: calls.calls.size });
  expect(proofs.filter(({ drift }) => drift > 0)).toEqual([]);
  expect(upgrade.longestPauseMs).toBeLessThan(10_000);
});
