import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { getBorderCharacters, table } from 'table';
import { hashPassword } from '../src/auth/password.ts';
import { openSwitchClient, type Probe, type SwitchClient } from '../src/broker/switch-client.ts';
import { defaultNames } from '../src/broker/topology.ts';
import { readConfig } from '../src/config.ts';
import { SCALE } from '../src/domain/money.ts';
import { openLog } from '../src/ops/logger.ts';
import { type Database, openDatabase } from '../src/store/database.ts';
import { migrate } from '../src/store/migrate.ts';
import { upsertUser } from '../src/store/users.ts';
import { startWorker, workerVariables } from '../src/worker/worker.ts';
import { type Sample, sampleCalls } from './samples/calls.ts';
import { sampleRecords } from './samples/freeswitch.ts';
import { whatNext } from './samples/next.ts';
import { startStack } from './stack.ts';

/**
 * `npm start`: a private PostgreSQL and RabbitMQ, the worker on them, and sample calls sent as a switch would.
 * Consumes until Ctrl-C; with `--once`, or without a terminal, it ends after the sample.
 */
const isOnce = process.argv.includes('--once') || !process.stdout.isTTY;

const say = (line: string) => process.stdout.write(`${line}\n`);
const progress = (line: string) => process.stderr.write(`${line}\n`);

const interrupted = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => interrupted.abort());

const REPLY_TIMEOUT_MS = 30_000;
const SOURCES = 'dev/samples/sources.yaml';
/** The feed of that file. */
const FEED = { exchange: 'cdrs.from.fs-ams-1', user: 'switch-fs-ams-1' };
/** No line between rows. */
const compact = {
  border: getBorderCharacters('norc'),
  drawHorizontalLine: (index: number, count: number) => index <= 1 || index === count,
};

try {
  await main();
} catch (error) {
  process.stderr.write(`npm start: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
process.exit();

async function main(): Promise<void> {
  const stack = await startStack({ progress });
  try {
    progress('migrating the database');
    await migrate(stack.databaseUrl);
    const database = openDatabase({
      url: stack.databaseUrl,
      poolSize: 2,
      statementTimeoutMs: 10_000,
      connectTimeoutMs: 10_000,
      applicationName: 'cdr-ingest start',
    });
    const passwords = await seed(database);
    const environment = {
      HTTP_PORT: '0',
      LOG_LEVEL: 'error',
      ...process.env,
      DATABASE_URL: stack.databaseUrl,
      AMQP_URL: stack.amqpUrl,
      SOURCES_FILE: fileURLToPath(new URL(`../${SOURCES}`, import.meta.url)),
    };
    const config = readConfig(workerVariables, environment);
    const version = 'checkout';
    const { log, dropped } = openLog(config.LOG_LEVEL, version);
    const options = { acceptsNewUniqueids: false, version, droppedLines: dropped };
    const worker = await startWorker(config, log, interrupted.signal, options);
    try {
      await Promise.race([worker.consuming, worker.failure]);
      await runSample(database, stack.amqpUrl, passwords);
      if (!isOnce) {
        const { databaseUrl, amqpUrl } = stack;
        const { port } = worker;
        const { switch: switchPassword, operator: operatorPassword } = passwords;
        say(whatNext({ databaseUrl, amqpUrl, port, sources: SOURCES, switchPassword, operatorPassword }));
        await Promise.race([until(interrupted.signal), worker.failure]);
      }
    } finally {
      await worker.stop();
      await database.close(5000);
    }
  } finally {
    await stack.stop();
  }
}

interface Passwords {
  switch: string;
  operator: string;
  viewer: string;
}

async function seed({ prisma, sql }: Database): Promise<Passwords> {
  const statements = readFileSync(new URL('samples/reference.sql', import.meta.url), 'utf8').split(/;\s*$/m);
  for (const statement of statements.filter((text) => text.trim() !== ''))
    await prisma.$executeRawUnsafe(statement);
  const passwords = {
    switch: randomBytes(9).toString('base64url'),
    operator: randomBytes(9).toString('base64url'),
    viewer: randomBytes(9).toString('base64url'),
  };
  const users = [
    ['switch', 'system', passwords.switch],
    ['operator', 'operator', passwords.operator],
    ['auditor', 'viewer', passwords.viewer],
    // In whose name the feed's calls are stored: nobody signs in with its password.
    [FEED.user, 'system', randomBytes(24).toString('base64url')],
  ] as const;
  for (const [username, role, password] of users) {
    await upsertUser(sql, { username, role, passwordHash: await hashPassword(password) });
  }
  return passwords;
}

async function runSample(database: Database, amqpUrl: string, passwords: Passwords): Promise<void> {
  const before = await balances(database);
  const client = await openSwitchClient([amqpUrl], defaultNames.exchange, REPLY_TIMEOUT_MS);
  const viewer = { auth_username: 'auditor', auth_password: passwords.viewer };
  const now = Math.floor(Date.now() / 1000);
  const samples = sampleCalls(now, viewer);
  const rows = [['call', 'code', 'reply']];
  const switchUser = { auth_username: 'switch', auth_password: passwords.switch };
  for (const sample of samples) rows.push([sample.shows, ...(await send(client, sample, switchUser))]);
  const freeswitch = await openSwitchClient([amqpUrl], FEED.exchange, REPLY_TIMEOUT_MS);
  for (const { shows, body } of sampleRecords(now))
    rows.push([shows, ...(await submit(freeswitch, { body }))]);
  await freeswitch.close();
  const columns = [{ width: 42 }, { width: 4 }, { width: 68, wrapWord: true }];
  await client.close();
  say(
    `\n${rows.length - 1} calls, each answered on the reply queue of its switch:\n${table(rows, { columns, ...compact })}`,
  );

  const after = await balances(database);
  const moved = [['customer', 'currency', 'balance before', 'after', 'charged', 'calls']];
  for (const [id, row] of after)
    moved.push([
      row.name,
      row.currency,
      before.get(id)?.balance ?? '',
      row.balance,
      row.charged,
      String(row.calls),
    ]);
  say(`\nBalances (a credit raises one):\n${table(moved, compact)}`);
  const dead = await database.prisma.deadLetter.groupBy({
    by: ['reason'],
    _count: true,
    orderBy: { reason: 'asc' },
  });
  say(`\nDead letters: ${dead.map(({ reason, _count }) => `${_count} ${reason}`).join(', ')}.`);
}

async function send(client: SwitchClient, { call, as }: Sample, user: object): Promise<[string, string]> {
  const body = JSON.stringify({ ...user, ...as, ...call });
  return await submit(client, { body, machine: String(call.machine) });
}

async function submit(client: SwitchClient, probe: Probe): Promise<[string, string]> {
  const { responses, isDuplicate } = await client.submit(probe);
  const lines = responses.map(({ key, message }) => (key === '' ? message : `${key}: ${message}`));
  return [responses[0]?.code ?? '', lines.join('\n') + (isDuplicate ? ' (already stored)' : '')];
}

async function balances({ prisma }: Database) {
  const customers = await prisma.customer.findMany({ orderBy: { id: 'asc' } });
  return new Map(
    customers.map(({ id, name, currency, balance, charged, calls }) => [
      id,
      {
        name,
        currency,
        balance: balance.toFixed(SCALE),
        charged: charged.toFixed(SCALE),
        calls: Number(calls),
      },
    ]),
  );
}

function until(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener('abort', () => resolve());
  });
}
