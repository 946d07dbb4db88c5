import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';
import { startStack } from '../dev/stack.ts';
import { hashPassword } from '../src/auth/password.ts';
import { openConnection } from '../src/broker/connect.ts';
import { declareTopology } from '../src/broker/declare.ts';
import { defaultNames } from '../src/broker/topology.ts';
import { openDatabase } from '../src/store/database.ts';
import { migrate } from '../src/store/migrate.ts';
import { upsertUser } from '../src/store/users.ts';
import { EVENT_USER, eventFeed } from './events.ts';
import { type Message, operator, referenceStatements, sender } from './workload.ts';

/** Durable and replicated like the input queue, so that a confirm means the same as in production. */
export const REPLY_QUEUE = 'cdrs.reply.bench';
/** Messages that are sent before waiting for their confirms. */
const PRELOAD_CHUNK = 2000;
const RETURN_MS = 200;
const POLL_MS = 10;
const TEMPLATE = 'bench_template';

export interface OwnDatabase {
  url: string;
  drop: () => Promise<void>;
}

/** The servers that every part runs on, and the means to fill and empty them. */
export type Bed = Awaited<ReturnType<typeof makeBed>>;

export async function makeBed(progress: (line: string) => void) {
  const stack = await startStack({ progress });
  try {
    return await furnish(stack, progress);
  } catch (error) {
    await stack.stop();
    throw error;
  }
}

async function furnish(stack: Awaited<ReturnType<typeof startStack>>, progress: (line: string) => void) {
  const admin = new Client({ connectionString: stack.databaseUrl });
  await admin.connect();
  await admin.query(`create database ${TEMPLATE}`);
  progress('migrating and filling the reference tables');
  await fillTemplate(withDatabase(stack.databaseUrl, TEMPLATE));
  const connection = await connect(stack.amqpUrl);
  await declareTopology(connection, defaultNames, [eventFeed().spec]);
  const channel = await connection.openConfirmChannel();
  await channel.assertQueue(REPLY_QUEUE, { durable: true, arguments: { 'x-queue-type': 'quorum' } });

  return {
    stack,
    amqpUrl: stack.amqpUrl,
    pids: () => ({ broker: stack.rabbitmq.pid, database: stack.postgres.pid }),
    /** An empty, migrated database with the reference data in it. */
    freshDatabase: async (): Promise<OwnDatabase> => {
      const name = `bench_${randomUUID().replaceAll('-', '')}`;
      await admin.query(`create database ${name} template ${TEMPLATE}`);
      const drop = async () => void (await admin.query(`drop database ${name} with (force)`));
      return { url: withDatabase(stack.databaseUrl, name), drop };
    },
    /** Publishes everything to the exchange as a switch would; returns when all of it is confirmed. */
    preload: async (messages: readonly Message[]) => {
      for (let start = 0; start < messages.length; start += PRELOAD_CHUNK) {
        for (const [index, { body, machine, exchange }] of messages
          .slice(start, start + PRELOAD_CHUNK)
          .entries()) {
          const correlationId = String(start + index);
          channel.publish(exchange ?? defaultNames.exchange, `cdrs.create.${machine}`, body, {
            contentType: 'application/json',
            persistent: true,
            replyTo: REPLY_QUEUE,
            correlationId,
          });
        }
        await channel.waitForConfirms();
      }
    },
    /** Replies that have been confirmed since the last `clear`. */
    replies: async () => (await channel.checkQueue(REPLY_QUEUE)).messageCount,
    /** Resolves when a program consumes the queue of calls. */
    untilConsumed: async () => {
      while ((await channel.checkQueue(defaultNames.queue)).consumerCount === 0) await sleep(POLL_MS);
    },
    clear: async () => {
      const queues = [defaultNames.queue, defaultNames.deadQueue, REPLY_QUEUE];
      for (const queue of queues) await channel.purgeQueue(queue);
      // The broker requeues what a killed program held a moment later.
      await sleep(RETURN_MS);
      for (const queue of queues) await channel.purgeQueue(queue);
    },
    connect: () => connect(stack.amqpUrl),
    close: async () => {
      await connection.close();
      await admin.end();
      await stack.stop();
    },
  };
}

async function connect(url: string) {
  const opened = await openConnection({ url, name: 'bench', heartbeatSeconds: 60, connectTimeoutMs: 30_000 });
  if (opened.kind !== 'open') throw new Error(opened.problem);
  return opened.connection;
}

async function fillTemplate(url: string): Promise<void> {
  await migrate(url);
  const database = openBenchDatabase(url);
  for (const statement of referenceStatements()) await database.prisma.$executeRawUnsafe(statement);
  const passwordHash = await hashPassword(sender.password);
  for (const username of [sender.username, EVENT_USER])
    await upsertUser(database.sql, { username, role: 'system', passwordHash });
  const operatorHash = await hashPassword(operator.password);
  await upsertUser(database.sql, {
    username: operator.username,
    role: 'operator',
    passwordHash: operatorHash,
  });
  await database.close(10_000);
}

/** A database as the worker opens it, with its default pool. */
export function openBenchDatabase(url: string) {
  return openDatabase({
    url,
    poolSize: 4,
    statementTimeoutMs: 60_000,
    connectTimeoutMs: 30_000,
    applicationName: 'bench',
  });
}

function withDatabase(url: string, name: string): string {
  const changed = new URL(url);
  changed.pathname = `/${name}`;
  return changed.href;
}
