import { expect } from 'vitest';
import { attachLate, customersIn } from '../../src/calls/attach.ts';
import { type Database, openDatabase } from '../../src/store/database.ts';
import { planAttaching } from '../../src/store/late/plan.ts';
import { migrate } from '../../src/store/migrate.ts';
import { reconcile } from '../../src/store/reconcile.ts';
import { upsertUser } from '../../src/store/users.ts';
import { ask } from './asking.ts';
import { BILLING } from './billing.ts';
import { outsider, until } from './broker.ts';
import { cheapHash } from './password.ts';
import { migratedServices } from './stack.ts';
import { openSwitch, type TestSwitch } from './switch.ts';
import { startProcess, type WorkerProcess } from './worker.ts';

export const PASSWORD = 'right-one';
const INPUT = 'cdrs.create';
const DEAD = 'cdrs.dead';

/** Own servers instead of the shared ones, and settings of the workers. */
export interface SiteOptions {
  postgres?: { url: string };
  /** Of a cluster the URLs of its nodes, separated by commas. */
  rabbit?: { url: string };
  environment?: Record<string, string>;
}

/** Database, broker, workers and a switch: the whole system, and the means to check it. */
export interface Site {
  databaseUrl: string;
  amqpUrl: string;
  rows: (text: string) => Promise<Record<string, string | null>[]>;
  calls: TestSwitch;
  /** Starts a worker process and waits until it consumes. */
  worker: (environment?: Record<string, string>) => Promise<WorkerProcess>;
  /** Kills a worker with SIGKILL and waits for its end. */
  kill: (worker: WorkerProcess) => Promise<void>;
  /** Messages that are ready in a queue. */
  depth: (queue: string) => Promise<number>;
  /** Puts what no invoice took on the open invoices of its customers. Returns how much. */
  attach: () => Promise<number>;
  /** Waits until everything sent is answered; 30 s is the bound promised after the end of any fault. */
  allAnswered: (limitMs?: number) => Promise<void>;
  /** What became of every call, while the workers go on. */
  books: () => Promise<Books>;
  /** The same after the workers have stopped. */
  audit: () => Promise<Audit>;
  close: () => Promise<void>;
}

export interface Books {
  unanswered: number;
  /** Sent and not stored. */
  lost: string[];
  /** Stored and not sent. */
  strange: string[];
  /** Customers whose balance, charged sum or number of calls is not exactly that of their calls and corrections. */
  wrong: string[];
  /** Drift that `reconcile` finds. */
  drift: number;
  /** reason and uniqueid of each. */
  deadLetters: string[];
  /** Messages that are ready in the input queue and in the quarantine queue. */
  left: number[];
}

export interface Audit extends Books {
  /** Exit codes of the workers that were still running. */
  exits: (number | null)[];
}

/** The result that every test must end with. */
export const faultless: Books = {
  unanswered: 0,
  lost: [],
  strange: [],
  wrong: [],
  drift: 0,
  deadLetters: [],
  left: [0, 0],
};

export async function openSite(name: string, seed: number, options: SiteOptions = {}): Promise<Site> {
  const shared = options.postgres && options.rabbit ? undefined : await migratedServices(name);
  const databaseUrl = options.postgres?.url ?? shared?.databaseUrl ?? '';
  const amqpUrl = options.rabbit?.url ?? shared?.amqpUrl ?? '';
  if (options.postgres) await migrate(databaseUrl);
  const database = await prepare(databaseUrl, name);
  const calls = await openSwitch(amqpUrl, PASSWORD, seed);
  const running = new Set<WorkerProcess>();

  const rows: Site['rows'] = (text) => database.prisma.$queryRawUnsafe(text);
  const depth = async (queue: string) => {
    const other = await outsider(amqpUrl.split(',')[0] ?? '');
    const found = await other.depth(queue).finally(() => other.close());
    return found;
  };

  async function start(environment: Record<string, string>): Promise<WorkerProcess> {
    const worker = await startProcess(['worker'], {
      DATABASE_URL: databaseUrl,
      AMQP_URL: amqpUrl,
      HTTP_PORT: '0',
      ...options.environment,
      ...environment,
    });
    running.add(worker);
    worker.ended.then(() => running.delete(worker));
    await worker.logged(`"queue":"${INPUT}","state":"consuming"`);
    return worker;
  }

  async function audit(): Promise<Audit> {
    const exits = await Promise.all([...running].map((worker) => worker.stop()));
    return { exits, ...(await books()) };
  }

  async function books(): Promise<Books> {
    const stored = new Set((await rows('select uniqueid from cdrs')).map(({ uniqueid }) => uniqueid ?? ''));
    const deadLetters = await rows(`select reason || ' ' || uniqueid as name from dead_letters order by id`);
    const customers = await rows(
      'select id::text, balance::text, charged::text, calls::text from customers order by id',
    );
    const corrected = await rows(
      'select customer::text as id, sum(charged)::text as charged, sum(calls)::text as calls from corrections group by 1',
    );
    const { proofs } = await reconcile(database);
    const sent = [...calls.calls.values()];
    return {
      unanswered: calls.unanswered,
      lost: sent.flatMap(({ uniqueid }) => (stored.has(uniqueid) ? [] : [uniqueid])),
      strange: [...stored].filter((uniqueid) => !calls.calls.has(uniqueid)),
      wrong: customers.flatMap((customer) => {
        const mine = sent.filter(
          (call) => String(call.customer) === customer.id && stored.has(call.uniqueid),
        );
        const entries = corrected.find(({ id }) => id === customer.id);
        const charged = mine.reduce(
          (sum, { cost }) => sum + cost + cost / 5n,
          inMillionths(entries?.charged ?? '0.000000'),
        );
        const calls = String(mine.length + Number(entries?.calls ?? 0));
        const due = { balance: inUnits(-charged), charged: inUnits(charged), calls };
        const isRight = Object.entries(due).every(([column, amount]) => customer[column] === amount);
        return isRight ? [] : [`${JSON.stringify(customer)}, expected ${JSON.stringify(due)}`];
      }),
      drift: proofs.reduce((sum, proof) => sum + proof.drift, 0),
      deadLetters: deadLetters.map(({ name }) => name ?? ''),
      left: [await depth(INPUT), await depth(DEAD)],
    };
  }

  async function attach(): Promise<number> {
    const order = { ...BILLING, customer: null, invoice: null, by: 'boss', why: 'they came late' };
    const plan = await planAttaching(database.sql, order);
    const context = { database, stop: new AbortController().signal, onProgress: () => undefined };
    return (await attachLate(order, customersIn(plan), context)).attached;
  }

  return {
    databaseUrl,
    amqpUrl,
    rows,
    calls,
    depth,
    attach,
    worker: (environment = {}) => {
      const starting = start(environment);
      // A test that awaits this gets the failure. One that has failed already does not await it any more.
      starting.catch(() => undefined);
      return starting;
    },
    kill: async (worker) => {
      worker.child.kill('SIGKILL');
      await worker.ended;
    },
    allAnswered: (limitMs) => until(() => calls.unanswered === 0, limitMs),
    books,
    audit,
    close: async () => {
      for (const worker of running) worker.child.kill('SIGKILL');
      await Promise.all([...running].map(({ ended }) => ended));
      await calls.close();
      await database.close(5000);
      await shared?.drop();
    },
  };
}

/** Three customers with a balance of zero, so that each balance shows what was charged. */
async function prepare(url: string, applicationName: string): Promise<Database> {
  const settings = { poolSize: 2, statementTimeoutMs: 20_000, connectTimeoutMs: 10_000 };
  const database = openDatabase({ url, applicationName, ...settings });
  const { prisma } = database;
  for (const statement of [
    `insert into currencies (code, rate) values ('USD', 1)`,
    `insert into customers (id, name, currency) values (1, 'hot', 'USD'), (2, 'two', 'USD'), (3, 'three', 'USD')`,
    `insert into taxes (id, name, rate, flat) values (1, 'VAT', 20, 0)`,
  ])
    await prisma.$executeRawUnsafe(statement);
  const passwordHash = await cheapHash(PASSWORD);
  await upsertUser(database.sql, { username: 'switch', role: 'system', passwordHash });
  await upsertUser(database.sql, { username: 'shop', role: 'commerce', passwordHash });
  await upsertUser(database.sql, { username: 'boss', role: 'operator', passwordHash });
  return database;
}

function inMillionths(units: string): bigint {
  return BigInt(units.replace('.', ''));
}

function inUnits(millionths: bigint): string {
  const digits = String(millionths < 0n ? -millionths : millionths).padStart(7, '0');
  return `${millionths < 0n ? '-' : ''}${digits.slice(0, -6)}.${digits.slice(-6)}`;
}

/** Compares the whole audit at once, so that a failure shows everything, and why there are dead letters. */
export async function expectFaultless(site: Site, except: Partial<Audit> = {}): Promise<void> {
  const { exits, ...found } = await site.audit();
  const errors = await site.rows(
    'select reason, error, count(*)::text as dead_letters from dead_letters group by 1, 2 order by 1, 2 limit 20',
  );
  const expected = { ...faultless, exits: exits.map(() => 0), ...except };
  expect({ ...found, exits }, JSON.stringify(errors)).toEqual(expected);
}

/** Status and parts of `/readyz`. */
export async function readiness(worker: WorkerProcess): Promise<{ status: number; parts: unknown }> {
  const response = await ask(`http://127.0.0.1:${await worker.port()}/readyz`);
  return { status: response.status, parts: await response.json() };
}

/** The page of `/metrics`. */
export async function metricsOf(worker: Pick<WorkerProcess, 'port'>): Promise<string> {
  const url = `http://127.0.0.1:${await worker.port()}/metrics`;
  const response = await ask(url);
  if (!response.ok) throw new Error(`${url}: ${response.status}`);
  return await response.text();
}

/** One sample of `/metrics`, by its name and labels as they appear there; 0 if absent. */
export async function metric(worker: Pick<WorkerProcess, 'port'>, sample: string): Promise<number> {
  return sampleOf(await metricsOf(worker), sample);
}

/** The same for a page that was already read. */
export function sampleOf(page: string, sample: string): number {
  const line = page.split('\n').find((candidate) => candidate.startsWith(`${sample} `));
  return Number(line?.slice(sample.length + 1) ?? 0);
}

/** Sends one more call and waits for its reply. Returns the milliseconds since `since` (monotonic). */
export async function answeredAnew(site: Site, since: number): Promise<number> {
  const messages = site.calls.make(1);
  await site.calls.send(messages);
  await until(
    () => messages.every(({ correlationId }) => site.calls.heard(correlationId).length > 0),
    60_000,
  );
  return Math.round(performance.now() - since);
}
