import { setTimeout as sleep } from 'node:timers/promises';
import { isCounter, isTime, metricOf, type Page, type Recording } from '../k8s/alerting/recording.ts';
import { outsider, until } from './broker.ts';
import { openSite, PASSWORD, type Site, type SiteOptions } from './faults.ts';
import { runCommand } from './operators.ts';
import { type FaultProxy, startProxy } from './proxy.ts';
import type { WorkerProcess } from './worker.ts';

/** Where a fault is recorded: a worker that takes a few calls a second, and the ways between it and its servers. */
export interface Stage {
  site: Site;
  broker: FaultProxy;
  database: FaultProxy;
  /** Kills the worker and starts another in its place, with these settings besides. */
  restart: (environment?: Record<string, string>) => Promise<void>;
  /** Sends one message, and resolves when the broker has it. */
  send: (body: object) => Promise<void>;
  /** Sends messages that carry the time, so many a second, until it is stopped. */
  publish: (perSecond: number, body: (count: number) => object | string) => Promise<() => Promise<void>>;
  discard: (reason: string) => Promise<void>;
  /** What others than the worker export, by series. */
  foreign: Map<string, () => number>;
}

export interface StageOptions extends SiteOptions {
  /** Calls a second of the ordinary switch. */
  load?: number;
}

/** A call of the ordinary switch, without its uniqueid. */
export const call = {
  auth_username: 'switch',
  auth_password: PASSWORD,
  machine: 'm',
  start: 1_700_000_000,
  scustomer: 1,
  update_invoices: 0,
};

const BEFORE_S = [0, 20, 40];
const SINCE_S = [0, 15, 30, 45, 60];
const SCRAPE_MS = 5000;
const nothing = async (_: Stage): Promise<unknown> => undefined;

/** Records a worker before a fault and in its phases. `phases` are what is done at the beginning of each, and at the end. */
export async function record(
  name: string,
  options: StageOptions,
  metrics: ReadonlySet<string>,
  phases: Record<string, (stage: Stage) => Promise<unknown>>,
): Promise<Recording> {
  const { stage, scrape, close } = await openStage(name, options);
  try {
    const recording = new Map<string, Page[]>();
    const beganMs = Date.now();
    const { end, ...recorded } = { before: nothing, end: nothing, ...phases };
    for (const [phase, begin] of Object.entries(recorded)) {
      await begin(stage);
      const phaseBeganMs = Date.now();
      const pages: Page[] = [];
      for (const atS of phase === 'before' ? BEFORE_S : SINCE_S) {
        await sleep(Math.max(0, phaseBeganMs + atS * 1000 - Date.now()));
        pages.push(pageOf(await scrape(), beganMs / 1000, metrics));
      }
      recording.set(phase, pages);
    }
    await end(stage);
    return recording;
  } finally {
    await close();
  }
}

/** A page as it is kept: only these metrics, and every time since the recording began. */
function pageOf(text: string | undefined, beganS: number, metrics: ReadonlySet<string>): Page {
  const samples = [...(text ?? '').matchAll(/^([a-z]\S*?(?:\{.*\})?) (\S+)$/gm)].flatMap(
    ([, series = '', value]): [string, number][] => {
      if (!metrics.has(metricOf(series))) return [];
      return [[series, isTime(series) && !isCounter(series) ? Number(value) - beganS : Number(value)]];
    },
  );
  const values = new Map([...samples, ['up', text === undefined ? 0 : 1] as const]);
  return { atS: Date.now() / 1000 - beganS, values };
}

async function openStage(name: string, { load = 5, ...options }: StageOptions) {
  const site = await openSite(name, 4712, options);
  await site.rows(`update users set every_seconds = 900 where username = 'switch'`);
  const [broker, database] = [await startProxy(site.amqpUrl), await startProxy(site.databaseUrl)];
  const through = { AMQP_URL: broker.url(site.amqpUrl), DATABASE_URL: database.url(site.databaseUrl) };
  let worker: WorkerProcess = await site.worker(through);
  const ordinary = setInterval(() => {
    const messages = site.calls.make(load);
    if (load > 0) site.calls.send(messages).catch(() => undefined);
  }, 1000);
  // Its first calls wait until the password of the switch has been checked.
  await until(() => site.calls.messages >= 5 * load && site.calls.unanswered <= load);
  const foreign = new Map<string, () => number>();

  const stage: Stage = {
    site,
    broker,
    database,
    foreign,
    restart: async (environment = {}) => {
      await site.kill(worker);
      worker = await site.worker({ ...through, ...environment });
    },
    send: async (body) => {
      const other = await outsider(site.amqpUrl);
      other.channel.publish('cdrs', 'cdrs.create.m', Buffer.from(JSON.stringify(body)), { persistent: true });
      await other.channel.waitForConfirms();
      await other.close();
    },
    publish: async (perSecond, body) => {
      const other = await outsider(site.amqpUrl);
      let count = 0;
      const timer = setInterval(
        () => {
          for (let sent = 0; sent < Math.max(1, perSecond / 10); sent += 1) {
            const made = body(count);
            const content = Buffer.from(typeof made === 'string' ? made : JSON.stringify(made));
            const timestamp = Math.floor(Date.now() / 1000);
            other.channel.publish('cdrs', 'cdrs.create.m', content, { persistent: true, timestamp });
            count += 1;
          }
        },
        Math.max(100, 1000 / perSecond),
      );
      return async () => {
        clearInterval(timer);
        await other.close();
      };
    },
    discard: async (reason) => {
      const environment = {
        DATABASE_URL: site.databaseUrl,
        AMQP_URL: site.amqpUrl,
        CDR_USERNAME: 'boss',
        CDR_PASSWORD: PASSWORD,
      };
      const args = ['dead', 'discard', '--reason', reason, '--why', 'recorded', '--yes'];
      const { code, stderr } = await runCommand(args, environment);
      if (code !== 0) throw new Error(stderr);
    },
  };

  /** What a worker and others export; undefined where the worker does not answer. */
  async function scrape(): Promise<string | undefined> {
    const url = `http://127.0.0.1:${await worker.port()}/metrics`;
    const answer = await fetch(url, { signal: AbortSignal.timeout(SCRAPE_MS) }).catch(() => undefined);
    if (!answer?.ok) return undefined;
    const others = [...foreign].map(([series, value]) => `${series} ${value()}`);
    return [await answer.text(), ...others].join('\n');
  }

  async function close(): Promise<void> {
    clearInterval(ordinary);
    await site.close();
    await Promise.all([broker.close(), database.close()]);
  }

  return { stage, scrape, close };
}
