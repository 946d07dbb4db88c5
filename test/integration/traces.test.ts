import { AsyncLocalStorage } from 'node:async_hooks';
import { type Channel, type ConsumeMessage, connect, type Message, type Options } from 'amqplib';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { hashPassword } from '../../src/auth/password.ts';
import { readConfig } from '../../src/config.ts';
import { openLog } from '../../src/ops/logger.ts';
import { upsertUser } from '../../src/store/users.ts';
import { startWorker, type Worker, workerVariables } from '../../src/worker/worker.ts';
import { type Outsider, outsider, until } from '../support/broker.ts';
import { type BillingDatabase, billingDatabase } from '../support/persisting.ts';

const REPLIES = 'cdrs.reply.traces';

/** What automatic instrumentation keeps for a message: here its correlation id. */
const context = new AsyncLocalStorage<string>();
const shown: Message[] = [];
const acknowledged: { message: Message; multiple: boolean }[] = [];
const replies: { correlationId: unknown; context: string | undefined }[] = [];
const statements: { name: string; context: string | undefined }[] = [];

let db: BillingDatabase;
let sender: Outsider;
let worker: Worker;

/** Wraps what OpenTelemetry's instrumentation for amqplib and pg wraps. */
async function instrument(amqpUrl: string): Promise<void> {
  const model = await connect(amqpUrl);
  const publishing = Object.getPrototypeOf(await model.createConfirmChannel());
  const consuming: Channel = Object.getPrototypeOf(await model.createChannel());
  await model.close();
  const { consume, ack } = consuming;
  vi.spyOn(consuming, 'consume').mockImplementation(function (this: Channel, queue, take, options) {
    const follow = (message: ConsumeMessage | null) => {
      if (message === null) return take(null);
      shown.push(message);
      context.run(String(message.properties.correlationId), () => take(message));
    };
    return consume.call(this, queue, follow, options);
  });
  vi.spyOn(consuming, 'ack').mockImplementation(function (this: Channel, message, multiple = false) {
    acknowledged.push({ message, multiple });
    ack.call(this, message, multiple);
  });
  const { publish } = publishing;
  vi.spyOn(publishing, 'publish').mockImplementation(function (this: unknown, ...args: unknown[]) {
    const { correlationId } = args[3] as Options.Publish;
    // Not what this test itself sends.
    if (args[0] !== 'cdrs') replies.push({ correlationId, context: context.getStore() });
    return publish.apply(this, args);
  });
  const { query } = pg.Client.prototype;
  vi.spyOn(pg.Client.prototype, 'query').mockImplementation(function (this: unknown, ...args: unknown[]) {
    const { name = '' } = args[0] as { name?: string };
    statements.push({ name, context: context.getStore() });
    return Reflect.apply(query, this, args);
  });
}

/** Publishes calls; resolves when each is answered and acknowledged. */
async function send(ids: readonly string[]): Promise<void> {
  for (const list of [shown, acknowledged, replies, statements]) list.length = 0;
  for (const uniqueid of ids) {
    const call = { uniqueid, machine: 'm', start: 1_700_000_000, scustomer: 1 };
    const body = JSON.stringify({ ...call, auth_username: 'switch', auth_password: 'right-canary' });
    const options = { correlationId: uniqueid, replyTo: REPLIES, persistent: true };
    sender.channel.publish('cdrs', 'cdrs.create', Buffer.from(body), options);
  }
  await until(
    () => shown.length === ids.length && acknowledged.some(({ message }) => message === shown.at(-1)),
  );
}

const contextsOf = (name: string) =>
  statements.filter((each) => each.name === name).map((each) => each.context);

beforeAll(async () => {
  db = await billingDatabase('traces');
  const passwordHash = await hashPassword('right-canary');
  await upsertUser(db.sql, { username: 'switch', role: 'system', passwordHash });
  sender = await outsider(db.amqpUrl);
  await sender.channel.assertQueue(REPLIES);
  await instrument(db.amqpUrl);
  const services = { DATABASE_URL: db.databaseUrl, AMQP_URL: db.amqpUrl, HTTP_PORT: '0' };
  const config = readConfig(workerVariables, services);
  const { log, dropped } = openLog('silent', 'test');
  const options = { acceptsNewUniqueids: false, version: 'test', droppedLines: dropped };
  worker = await startWorker(config, log, new AbortController().signal, options);
  await worker.consuming;
});

afterAll(async () => {
  await worker?.stop();
  vi.restoreAllMocks();
  await sender?.close();
  await db?.drop();
});

describe('instrumentation that follows messages', () => {
  it('sees the statements of a message and its reply in its context', async () => {
    await send(['alone']);
    expect(replies).toEqual([{ correlationId: 'alone', context: 'alone' }]);
    expect(contextsOf('users.read')).toEqual(['alone']);
    expect(contextsOf('persist.look-up')).toEqual(['alone']);
    expect(contextsOf('persist.write-calls')).toEqual(['alone']);
  });

  it('sees each reply in the context of its own message, and statements in that of the first of a batch', async () => {
    const ids = Array.from({ length: 1000 }, (_, index) => `batch.${index}`);
    await send(ids);
    expect(replies.map((reply) => reply.context)).toEqual(replies.map((reply) => reply.correlationId));
    expect(new Set(replies.map((reply) => reply.context))).toEqual(new Set(ids));
    const batches = contextsOf('persist.write-calls');
    expect(new Set(batches).size).toBe(batches.length);
    expect(batches.length).toBeGreaterThan(1);
  });

  it('is shown each message again when it is acknowledged', async () => {
    await send(Array.from({ length: 20 }, (_, index) => `again.${index}`));
    const seen = new Set<Message>();
    for (const { message, multiple } of acknowledged) {
      const index = shown.indexOf(message);
      expect(index).toBeGreaterThanOrEqual(0);
      for (const each of multiple ? shown.slice(0, index + 1) : [message]) seen.add(each);
    }
    expect(seen.size).toBe(20);
  });
});
