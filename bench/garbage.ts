import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { defaultNames } from '../src/broker/topology.ts';
import type { Bed } from './bed.ts';
import { startWitnessedWorker, type WitnessedWorker } from './programs.ts';
import { type Message, workload } from './workload.ts';

export interface GarbageSize {
  /** Messages of the drain. */
  messages: number;
  /** Messages that come one by one, twice: the first time programs compile their code. */
  alone: number;
}

/** Bytes that the worker allocates on V8's heap; nearly all of it is garbage soon. */
export interface Garbage {
  /** A message of a full batch. */
  perMessage: number;
  /** A batch of one message. */
  perLoneBatch: number;
}

/** What is noted of a worker while it is under way. */
export interface Watching<Found> {
  begin: (worker: WitnessedWorker) => Promise<void>;
  end: (worker: WitnessedWorker) => Promise<Found>;
}

/** What was found, and over how many messages and batches. */
export interface Watched<Found> {
  found: Found;
  messages: number;
  batches: number;
}

/** This part of a drain is watched: programs compile their code before, and batches are not full any more after. */
const WATCHED = { from: 0.2, to: 0.9 };
const POLL_MS = 10;

const counting: Watching<number> = {
  begin: (worker) => worker.ask('count'),
  end: (worker) => worker.ask('counted'),
};

/** What a message leaves behind under load, and a batch of one message. */
export async function measureGarbage(bed: Bed, size: GarbageSize, seed: number): Promise<Garbage> {
  const load = await watchLoad(bed, size, seed, counting);
  const lone = await watchLoneBatches(bed, size, seed + 1, counting);
  return { perMessage: load.found / load.messages, perLoneBatch: lone.found / lone.batches };
}

/** Watches a worker drain a queue that was filled beforehand. */
export async function watchLoad<Found>(
  bed: Bed,
  { messages: count }: GarbageSize,
  seed: number,
  watching: Watching<Found>,
): Promise<Watched<Found>> {
  return await withWorker(bed, workload(count, seed).messages, async (worker) => {
    const first = await repliesAbove(bed, count * WATCHED.from);
    const before = await batchesOf(worker);
    await watching.begin(worker);
    const last = await repliesAbove(bed, count * WATCHED.to);
    const found = await watching.end(worker);
    const batches = (await batchesOf(worker)) - before;
    return { found, messages: last - first, batches };
  });
}

/** Watches a worker to which each message comes when the one before is answered. */
export async function watchLoneBatches<Found>(
  bed: Bed,
  { alone }: GarbageSize,
  seed: number,
  watching: Watching<Found>,
): Promise<Watched<Found>> {
  return await withWorker(bed, [], async (worker) => {
    await sendOneByOne(bed, workload(alone, seed).messages);
    const before = await batchesOf(worker);
    await watching.begin(worker);
    await sendOneByOne(bed, workload(alone, seed + 1).messages);
    const found = await watching.end(worker);
    return { found, messages: alone, batches: (await batchesOf(worker)) - before };
  });
}

async function sendOneByOne(bed: Bed, messages: readonly Message[]): Promise<void> {
  const connection = await bed.connect();
  const channel = await connection.openConfirmChannel();
  const replyTo = `cdrs.reply.${randomUUID()}`;
  await channel.assertQueue(replyTo, { exclusive: true, autoDelete: true });
  let onReply = () => {};
  await channel.consume(replyTo, () => onReply(), { noAck: true });
  for (const { machine, body } of messages) {
    const answered = new Promise<void>((resolve) => {
      onReply = resolve;
    });
    channel.publish(defaultNames.exchange, `cdrs.create.${machine}`, body, {
      contentType: 'application/json',
      persistent: true,
      replyTo,
      correlationId: randomUUID(),
    });
    await answered;
  }
  await connection.close();
}

async function withWorker<Result>(
  bed: Bed,
  waiting: Parameters<Bed['preload']>[0],
  watch: (worker: WitnessedWorker) => Promise<Result>,
): Promise<Result> {
  const database = await bed.freshDatabase();
  try {
    await bed.clear();
    await bed.preload(waiting);
    const worker = await startWitnessedWorker({ DATABASE_URL: database.url, AMQP_URL: bed.amqpUrl });
    return await Promise.race([watch(worker), worker.failure]).finally(worker.stop);
  } finally {
    await bed.clear();
    await database.drop();
  }
}

async function repliesAbove(bed: Bed, count: number): Promise<number> {
  for (;;) {
    const replies = await bed.replies();
    if (replies >= count) return replies;
    await sleep(POLL_MS);
  }
}

/** How many batches the worker has persisted. */
async function batchesOf(worker: WitnessedWorker): Promise<number> {
  const response = await fetch(`http://127.0.0.1:${await worker.port()}/metrics`);
  const counts = (await response.text()).matchAll(/^cdr_ingest_batch_messages_count(?:\{.*\})? (\d+)$/gm);
  return [...counts].reduce((sum, [, count]) => sum + Number(count), 0);
}
