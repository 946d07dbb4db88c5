import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type PrometheusServer, type Series, startPrometheus } from '../../dev/stack/prometheus.ts';
import { type PostgresServer, startPostgres } from '../../dev/stack.ts';
import { dashboard, filledIn, panels } from '../k8s/queries.ts';
import { outsider } from '../support/broker.ts';
import { openSite, type Site } from '../support/faults.ts';
import { drawDashboard } from '../support/picture.ts';

const SEED = 4711;
const PHASE_MS = 40_000;
const OUTAGE_MS = 12_000;
/** Where the picture goes; without it the test only looks at the data. */
const PICTURE = process.env.DASHBOARD_PICTURE;

let postgres: PostgresServer;
let site: Site;
let prometheus: PrometheusServer;
beforeAll(async () => {
  postgres = await startPostgres();
  site = await openSite('dashboard', SEED, { postgres });
});
afterAll(async () => {
  await prometheus?.remove();
  await site?.close();
  await postgres?.remove();
});

it('the dashboard shows load, refusals and a database outage', async () => {
  // What no invoice took is counted when a worker starts and then every minute: some calls have to be there by then.
  const early = await site.worker();
  await site.calls.send(site.calls.make(10));
  await site.allAnswered();
  await early.stop();
  const workers = await Promise.all([site.worker(), site.worker()]);
  const targets = await Promise.all(
    workers.map(async (worker, index) => ({
      port: await worker.port(),
      labels: { namespace: 'cdr-ingest', pod: `cdr-ingest-${index + 1}`, container: 'worker' },
    })),
  );
  prometheus = await startPrometheus({ targets, scrapeSeconds: 1 });
  const fromS = Date.now() / 1000;
  const refusals = await keepRefusing();
  const load = site.calls.keepSending();
  await sleep(PHASE_MS);
  await postgres.stop('hard');
  await sleep(OUTAGE_MS);
  await postgres.start();
  await sleep(PHASE_MS);
  await load.stop();
  await refusals.stop();
  await site.allAnswered();

  const toS = Date.now() / 1000;
  const data = await Promise.all(
    panels.map(async ({ title, targets: queries, fieldConfig }) => {
      const answers = await Promise.all(
        queries.map(async ({ expr, legendFormat }) => {
          const series = await prometheus.range(filledIn(expr, '5s'), fromS, toS, 1);
          return series.map(({ metric, values }) => ({ legend: legendOf(legendFormat, metric), values }));
        }),
      );
      return { title, unit: fieldConfig.defaults.unit, series: answers.flat() };
    }),
  );
  for (const { title, series } of data)
    expect({ title, series: series.length }).not.toEqual({ title, series: 0 });
  const paused = data
    .find(({ title }) => title === 'Workers')
    ?.series.find(({ legend }) => legend === 'paused');
  expect(Math.max(...(paused?.values.map(([, value]) => value) ?? []))).toBe(2);
  if (PICTURE === undefined) return;
  const { messages } = site.calls;
  mkdirSync(dirname(PICTURE), { recursive: true });
  const caption = `Two workers, ${messages} messages, PostgreSQL killed for ${OUTAGE_MS / 1000} s: what Prometheus answers to the dashboard`;
  const rows = dashboard.flatMap(({ type, title }, index) => {
    if (type !== 'row') return [];
    const rest = dashboard.slice(index + 1);
    const end = rest.findIndex((panel) => panel.type === 'row');
    const titles = new Set((end < 0 ? rest : rest.slice(0, end)).map((panel) => panel.title));
    return [{ question: title, panels: data.filter((panel) => titles.has(panel.title)) }];
  });
  writeFileSync(PICTURE, drawDashboard(rows, caption));
});

/** Grafana's way: `{{label}}` stands for the label's value. */
function legendOf(format: string, metric: Series['metric']): string {
  return format.replace(/\{\{(\w+)\}\}/g, (_, name: string) => metric[name] ?? '');
}

/** A switch with an old password, and one with a misspelt parameter, a few times a second. */
async function keepRefusing(): Promise<{ stop: () => Promise<void> }> {
  const other = await outsider(site.amqpUrl);
  let count = 0;
  const timer = setInterval(() => {
    count += 1;
    const wrong = count % 3 === 0 ? { auth_password: 'old' } : { auth_password: 'right-one', cots: 1 };
    const call = {
      auth_username: 'switch',
      uniqueid: `refused.${count}`,
      machine: 'm',
      start: 1,
      scustomer: 1,
    };
    other.channel.publish('cdrs', 'cdrs.create', Buffer.from(JSON.stringify({ ...call, ...wrong })), {
      persistent: true,
      timestamp: Math.floor(Date.now() / 1000),
    });
  }, 100);
  return {
    stop: async () => {
      clearInterval(timer);
      await other.channel.waitForConfirms();
      await other.close();
    },
  };
}
