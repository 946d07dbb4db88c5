import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { connect } from 'amqplib';
import { openSwitchClient, type SwitchClient } from '../../src/broker/switch-client.ts';
import { REPLAY_HEADER } from '../../src/domain/replay-header.ts';
import { upsertUser } from '../../src/store/users.ts';
import { until } from './broker.ts';
import { type CommandResult, runInProcess } from './in-process.ts';
import { cheapHash } from './password.ts';
import { type BillingDatabase, billingDatabase } from './persisting.ts';
import { startProcess, type WorkerProcess } from './worker.ts';

const CLI = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));

/** Must never appear in any output. */
export const PASSWORD = 'right-canary-7';

/** A running worker with a switch, an operator and a viewer. */
export interface OperatorSite {
  db: BillingDatabase;
  worker: WorkerProcess;
  client: SwitchClient;
  environment: Record<string, string>;
  /** Sends one call of customer 1 as the switch; returns the responses. */
  submit: (parameters: Record<string, unknown>) => Promise<{ code: string; key: string }[]>;
  /** `cdr-ingest dead …` as the operator, within this process. */
  dead: (args: readonly string[], environment?: Record<string, string>) => Promise<CommandResult>;
  /** The same with `--json`, read. */
  deadJson: <Result>(args: readonly string[]) => Promise<Result>;
  /** Starts it as a process and leaves it running. */
  startDead: (args: readonly string[]) => Promise<WorkerProcess>;
  /** Ids of dead letters, oldest first. */
  ids: (where: string) => Promise<string[]>;
  close: () => Promise<void>;
}

/** @param settings variables of the worker and of the commands */
export async function openOperatorSite(
  name: string,
  settings: Record<string, string> = {},
): Promise<OperatorSite> {
  const db = await billingDatabase(name);
  const passwordHash = await cheapHash(PASSWORD);
  for (const [username, role] of [
    ['switch', 'system'],
    ['boss', 'operator'],
    ['auditor', 'viewer'],
  ] as const)
    await upsertUser(db.sql, { username, role, passwordHash });
  const services = { DATABASE_URL: db.databaseUrl, AMQP_URL: db.amqpUrl, ...settings };
  const environment = { ...services, CDR_USERNAME: 'boss', CDR_PASSWORD: PASSWORD };
  const worker = await startProcess(['worker'], { ...services, HTTP_PORT: '0' });
  await worker.logged('"queue":"cdrs.create","state":"consuming"');
  const client = await openSwitchClient([db.amqpUrl], 'cdrs', 30_000);

  const dead: OperatorSite['dead'] = (args, more = {}) =>
    runInProcess(['dead', ...args], { ...environment, ...more });
  return {
    db,
    worker,
    client,
    environment,
    submit: async (parameters) => {
      const { responses } = await client.submit({ body: JSON.stringify(callOf(parameters)) });
      return responses.map(({ code, key }) => ({ code, key }));
    },
    dead,
    deadJson: async (args) => {
      const { stdout, stderr, code } = await dead([...args, '--json']);
      if (stdout === '') throw new Error(`exit ${code}: ${stderr}`);
      return JSON.parse(stdout);
    },
    startDead: (args) => startProcess(['dead', ...args], environment),
    ids: async (where) => {
      const rows = await db.rows(`select id::text from dead_letters where ${where} order by id`);
      return rows.map(({ id }) => id ?? '');
    },
    close: async () => {
      await client.close();
      await worker.stop();
      await db.drop();
    },
  };
}

export function callOf(parameters: Record<string, unknown>): Record<string, unknown> {
  return {
    auth_username: 'switch',
    auth_password: PASSWORD,
    machine: 'm-1',
    start: 1_700_000_000,
    scustomer: 1,
    cost: '1.50',
    ...parameters,
  };
}

/** Runs a command, built as it ships, to its end. */
export async function runCommand(
  args: readonly string[],
  environment: Record<string, string>,
): Promise<CommandResult> {
  const env = { PATH: process.env.PATH, ...environment };
  const child = spawn(process.execPath, [CLI, ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  const ended = new Promise<number | null>((resolve) => child.on('close', resolve));
  const [stdout, stderr, code] = await Promise.all([text(child.stdout), text(child.stderr), ended]);
  return { stdout, stderr, code };
}

export interface Heard {
  code: string;
  correlationId: string;
  isDuplicate: boolean;
}

/** A switch with its own reply queue that also receives a copy of every message sent to the input exchange. */
export interface Observer {
  replies: string;
  heard: readonly Heard[];
  /** Sends a call, or anything else, with or without a replay header. Resolves when the broker has confirmed it. */
  send: (body: object | Buffer, correlationId: string, replayHeader?: string) => Promise<void>;
  /** Resolves with the replies to this message when there are at least `count`. */
  answers: (correlationId: string, count?: number) => Promise<Heard[]>;
  /** Messages with a replay header that were sent since the last time. */
  replaysSeen: () => Promise<{ replayHeader: string; body: Buffer }[]>;
  close: () => Promise<void>;
}

export async function openObserver(amqpUrl: string): Promise<Observer> {
  const connection = await connect(amqpUrl);
  const channel = await connection.createConfirmChannel();
  const { queue } = await channel.assertQueue('', { exclusive: true });
  await channel.bindQueue(queue, 'cdrs', 'cdrs.create.#');
  const { queue: replies } = await channel.assertQueue(`cdrs.reply.${randomUUID()}`, { exclusive: true });
  const heard: Heard[] = [];
  await channel.consume(
    replies,
    (message) => {
      if (message === null) return;
      const { responses } = JSON.parse(message.content.toString()) as { responses: { code: string }[] };
      heard.push({
        code: responses[0]?.code ?? '',
        correlationId: String(message.properties.correlationId),
        isDuplicate: message.properties.headers?.duplicate === true,
      });
    },
    { noAck: true },
  );
  const to = (correlationId: string) => heard.filter((one) => one.correlationId === correlationId);
  return {
    replies,
    heard,
    send: async (body, correlationId, replayHeader) => {
      const bytes = Buffer.isBuffer(body) ? body : Buffer.from(JSON.stringify(body));
      const headers = replayHeader === undefined ? {} : { [REPLAY_HEADER]: replayHeader };
      channel.publish('cdrs', 'cdrs.create', bytes, { headers, replyTo: replies, correlationId });
      await channel.waitForConfirms();
    },
    answers: async (correlationId, count = 1) => {
      await until(() => to(correlationId).length >= count);
      return to(correlationId);
    },
    replaysSeen: async () => {
      const found: { replayHeader: string; body: Buffer }[] = [];
      for (;;) {
        const message = await channel.get(queue, { noAck: true });
        if (message === false) return found;
        const replayHeader: unknown = message.properties.headers?.[REPLAY_HEADER];
        if (typeof replayHeader === 'string') found.push({ replayHeader, body: message.content });
      }
    },
    close: () => connection.close(),
  };
}
