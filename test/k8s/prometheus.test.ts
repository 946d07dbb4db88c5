import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { identify, isRunning } from '../../dev/stack/process.ts';
import { type PrometheusServer, startPrometheus } from '../../dev/stack/prometheus.ts';
import { hashPassword } from '../../src/auth/password.ts';
import { openSwitchClient } from '../../src/broker/switch-client.ts';
import { upsertUser } from '../../src/store/users.ts';
import { until } from '../support/broker.ts';
import { type BillingDatabase, billingDatabase } from '../support/persisting.ts';
import { startProcess, type WorkerProcess } from '../support/worker.ts';
import { alerts, filledIn, panels } from './queries.ts';

let db: BillingDatabase;
let worker: WorkerProcess;
let prometheus: PrometheusServer;
const startedS = Date.now() / 1000;

beforeAll(async () => {
  db = await billingDatabase('prometheus');
  const passwordHash = await hashPassword('right-one');
  await upsertUser(db.sql, { username: 'switch', role: 'system', passwordHash });
  // What is kept and what no invoice took is read when a worker starts, and then only every minute.
  await db.persist([
    { uniqueid: 'early', scustomer: 3 },
    { uniqueid: 'early', cost: 1 },
  ]);
  worker = await startProcess(['worker'], {
    DATABASE_URL: db.databaseUrl,
    AMQP_URL: db.amqpUrl,
    HTTP_PORT: '0',
  });
  await worker.logged('"state":"consuming"');
  const labels = { namespace: 'cdr-ingest', pod: 'cdr-ingest-0', container: 'worker' };
  prometheus = await startPrometheus({
    targets: [{ port: await worker.port(), labels }],
    scrapeSeconds: 1,
    progress: (line) => process.stderr.write(`${line}\n`),
  });
  // A rate needs a sample from before it grows.
  await until(async () => (await ask('up')).some((value) => value === 1));
  await callsOfEveryKind();
});
afterAll(async () => {
  await prometheus?.remove();
  await worker?.stop();
  await db?.drop();
});

async function callsOfEveryKind(): Promise<void> {
  const client = await openSwitchClient([db.amqpUrl], 'cdrs', 30_000);
  const call = { auth_username: 'switch', auth_password: 'right-one', machine: 'm', start: 1, scustomer: 1 };
  const submit = (parameters: object) =>
    client.submit({ body: JSON.stringify({ ...call, ...parameters }), machine: 'm' });
  await Promise.all(Array.from({ length: 50 }, (_, index) => submit({ uniqueid: `p.${index}` })));
  await submit({ uniqueid: 'p.0' });
  await submit({ uniqueid: 'p.0', cost: 1 });
  await submit({ uniqueid: 'bad', cost: 'x' });
  await client.close();
}

/** The finite values that a query gives over the whole test. */
async function ask(query: string): Promise<number[]> {
  const series = await prometheus.range(query, startedS, Date.now() / 1000, 1);
  return series.flatMap(({ values }) => values.map(([, value]) => value)).filter(Number.isFinite);
}

describe('Prometheus scraping a worker', () => {
  it.each(panels)('has data for "$title"', async ({ targets }) => {
    for (const { expr } of targets) {
      const query = filledIn(expr, '15s');
      await until(async () => (await ask(query)).length > 0);
    }
  });

  it('sees each kind of call', async () => {
    const [code] = panels.filter(({ title }) => title === 'Calls answered');
    const query = filledIn(code?.targets[0]?.expr ?? '', '15s');
    await until(async () => {
      const series = await prometheus.range(query, startedS, Date.now() / 1000, 1);
      const seen = series.filter(({ values }) => values.some(([, value]) => value > 0));
      return ['204', '400'].every((name) => seen.some(({ metric }) => metric.code === name));
    });
  });

  it.each(alerts)('accepts the query of $alert', async ({ expr }) => {
    await expect(ask(expr)).resolves.toBeInstanceOf(Array);
  });

  it('says what is wrong with an invalid query', async () => {
    await expect(ask('rate(cdr_ingest_results_total)')).rejects.toThrow('expected type range vector');
  });
});

it('leaves no process behind', async () => {
  const process = identify(prometheus.pid ?? 0);
  expect(process).toBeDefined();
  await prometheus.remove();
  expect(process && isRunning(process)).toBe(false);
});
