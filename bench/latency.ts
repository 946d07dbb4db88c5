import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { defaultNames } from '../src/broker/topology.ts';
import type { Bed } from './bed.ts';
import { quantile } from './numbers.ts';
import type { Program, Services } from './programs.ts';
import { type Message, workload } from './workload.ts';

/** Milliseconds from when a message was due to when its reply arrived. */
export interface Latency {
  p50: number;
  p99: number;
}

const TICK_MS = 1;
const ANSWER_LIMIT_MS = 120_000;

/** So many messages a second for so many seconds. */
export interface Offer {
  rate: number;
  seconds: number;
}

/** Latency of each of these offers, made one after the other to the same program; the first as soon as it consumes. */
export async function measureLatency(
  bed: Bed,
  start: (services: Services) => Program | Promise<Program>,
  offers: readonly Offer[],
  seed: number,
): Promise<Latency[]> {
  const database = await bed.freshDatabase();
  await bed.clear();
  const program = await start({ DATABASE_URL: database.url, AMQP_URL: bed.amqpUrl });
  const found: Latency[] = [];
  try {
    const offered = async () => {
      await bed.untilConsumed();
      for (const [index, { rate, seconds }] of offers.entries()) {
        const { messages } = workload(Math.ceil(rate * seconds), seed + index);
        const waits = await offerAll(bed, messages, rate);
        found.push({ p50: quantile(waits, 0.5), p99: quantile(waits, 0.99) });
      }
    };
    await Promise.race([offered(), program.failure]);
    return found;
  } finally {
    await program.stop();
    await bed.clear();
    await database.drop();
  }
}

async function offerAll(bed: Bed, messages: readonly Message[], rate: number): Promise<number[]> {
  const waits = await offer(bed, messages, rate, { replies: 'queue', limitMs: ANSWER_LIMIT_MS });
  const missing = waits.filter((wait) => wait === Number.POSITIVE_INFINITY).length;
  if (missing > 0) throw new Error(`${missing} replies did not come`);
  return waits;
}

/** RabbitMQ's direct reply-to: the name that consumer and publisher use. */
const DIRECT = 'amq.rabbitmq.reply-to';

/**
 * Open loop: a message is sent when it is due, whether or not earlier ones were answered, and its time counts from
 * then, so that a stall shows in every message that was due during it. Replies come to an exclusive queue, as a
 * switch has one, or by direct reply-to.
 *
 * @param limitMs how long a reply is waited for after the last message is sent
 * @returns milliseconds to the reply of each message, infinite where none came
 */
export async function offer(
  bed: Pick<Bed, 'connect'>,
  messages: readonly Message[],
  rate: number,
  { replies, limitMs }: { replies: 'queue' | 'direct'; limitMs: number },
): Promise<number[]> {
  const connection = await bed.connect();
  const channel = await connection.openConfirmChannel();
  const replyTo = replies === 'direct' ? DIRECT : `cdrs.reply.${randomUUID()}`;
  if (replies === 'queue') await channel.assertQueue(replyTo, { exclusive: true, autoDelete: true });
  // Setting up a queue for the replies is not what is measured.
  let began = Number.POSITIVE_INFINITY;
  const dueAt = (index: number) => began + (index * 1000) / rate;
  const waits = messages.map(() => Number.POSITIVE_INFINITY);
  let missing = messages.length;
  const onReply = (correlationId: unknown) => {
    const index = Number(correlationId);
    if (waits[index] !== Number.POSITIVE_INFINITY) return;
    waits[index] = performance.now() - dueAt(index);
    missing -= 1;
  };
  await channel.consume(replyTo, (reply) => onReply(reply?.properties.correlationId), { noAck: true });
  began = performance.now();
  for (let next = 0; next < messages.length; ) {
    const message = messages[next];
    if (message === undefined || dueAt(next) > performance.now()) {
      await sleep(TICK_MS);
      continue;
    }
    channel.publish(defaultNames.exchange, `cdrs.create.${message.machine}`, message.body, {
      contentType: 'application/json',
      persistent: true,
      replyTo,
      correlationId: String(next),
    });
    next += 1;
  }
  const deadline = performance.now() + limitMs;
  while (missing > 0 && performance.now() < deadline) await sleep(20);
  await connection.close();
  return waits;
}
