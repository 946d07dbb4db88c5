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

const WARM_RATE = 200;
const TICK_MS = 1;
const ANSWER_LIMIT_MS = 120_000;

/**
 * Latency at each of these rates, offered one after the other to the same program.
 *
 * @param warmSeconds how long it is warmed before: what has just started compiles its code
 */
export async function measureLatency(
  bed: Bed,
  start: (services: Services) => Program | Promise<Program>,
  rates: readonly number[],
  { seconds, warmSeconds }: { seconds: number; warmSeconds: number },
  seed: number,
): Promise<Map<number, Latency>> {
  const database = await bed.freshDatabase();
  await bed.clear();
  const program = await start({ DATABASE_URL: database.url, AMQP_URL: bed.amqpUrl });
  const results = new Map<number, Latency>();
  try {
    const offered = async () => {
      await offer(bed, workload(WARM_RATE * warmSeconds, seed).messages, WARM_RATE);
      for (const [index, rate] of rates.entries()) {
        const { messages } = workload(Math.ceil(rate * seconds), seed + 1 + index);
        const waits = await offer(bed, messages, rate);
        results.set(rate, { p50: quantile(waits, 0.5), p99: quantile(waits, 0.99) });
      }
    };
    await Promise.race([offered(), program.failure]);
    return results;
  } finally {
    await program.stop();
    await bed.clear();
    await database.drop();
  }
}

/**
 * Open loop: a message goes out when it is due, whatever became of those before, and its time counts from then,
 * so that a stall shows in everything that was due during it. Replies come to an exclusive queue, as a switch has.
 */
async function offer(bed: Bed, messages: readonly Message[], rate: number): Promise<number[]> {
  const connection = await bed.connect();
  const channel = await connection.openConfirmChannel();
  const replyTo = `cdrs.reply.${randomUUID()}`;
  await channel.assertQueue(replyTo, { exclusive: true, autoDelete: true });
  const began = performance.now();
  const dueAt = (index: number) => began + (index * 1000) / rate;
  const waits = new Map<number, number>();
  const onReply = (correlationId: unknown) => {
    const index = Number(correlationId);
    if (!waits.has(index)) waits.set(index, performance.now() - dueAt(index));
  };
  await channel.consume(replyTo, (reply) => onReply(reply?.properties.correlationId), { noAck: true });
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
  const deadline = performance.now() + ANSWER_LIMIT_MS;
  while (waits.size < messages.length) {
    if (performance.now() > deadline) throw new Error(`${messages.length - waits.size} replies did not come`);
    await sleep(20);
  }
  await connection.close();
  return [...waits.values()];
}
