import { type Channel, type ConfirmChannel, connect } from 'amqplib';
import { vi } from 'vitest';
import type { BrokerLog } from '../../src/broker/log.ts';
import { type SupervisedConnection, superviseConnection } from '../../src/broker/supervisor.ts';

/** Limit for anything that should happen, generous for a CI machine under load. */
export const LIMIT_MS = 30_000;

/** Waits until `condition` holds. Rejects after `limitMs`. */
export async function until(condition: () => boolean | Promise<boolean>, limitMs = LIMIT_MS): Promise<void> {
  const check = async () => {
    if (!(await condition())) throw new Error(`not within ${limitMs} ms: ${condition}`);
  };
  await vi.waitFor(check, { timeout: limitMs, interval: 20 });
}

/** Collects what is logged. */
export function recordingLog(): BrokerLog & { lines: string[] } {
  const lines: string[] = [];
  const log = (fields: object, message: string) => {
    lines.push(`${message} ${JSON.stringify(fields)}`);
  };
  return { lines, debug: log, info: log, warn: log, error: log };
}

/** A supervised connection with short limits. */
export function supervise(
  urls: string | string[],
  options: Partial<Parameters<typeof superviseConnection>[0]> = {},
): SupervisedConnection {
  return superviseConnection({
    urls: typeof urls === 'string' ? [urls] : urls,
    name: 'test',
    heartbeatSeconds: 5,
    connectTimeoutMs: 5_000,
    random: Math.random,
    log: recordingLog(),
    ...options,
  });
}

/** A plain client of the broker, beside the code under test. */
export interface Outsider {
  channel: ConfirmChannel;
  /** Runs on a separate channel, which an error may close. */
  apart<T>(work: (channel: Channel) => Promise<T>): Promise<T>;
  /** Sends `count` messages with the bodies `0`, `1`, … Resolves when all are confirmed. */
  fill(queue: string, count: number): Promise<void>;
  /** Messages ready for delivery. */
  depth(queue: string): Promise<number>;
  close(): Promise<void>;
}

export async function outsider(url: string): Promise<Outsider> {
  const connection = await connect(url);
  connection.on('error', () => {});
  const channel = await connection.createConfirmChannel();
  async function apart<T>(work: (own: Channel) => Promise<T>): Promise<T> {
    const own = await connection.createChannel();
    own.on('error', () => {});
    const result = await work(own);
    await own.close();
    return result;
  }
  return {
    channel,
    apart,
    async fill(queue, count) {
      for (let i = 0; i < count; i += 1)
        channel.sendToQueue(queue, Buffer.from(String(i)), { persistent: true });
      await channel.waitForConfirms();
    },
    depth: async (queue) => (await channel.checkQueue(queue)).messageCount,
    close: () => connection.close(),
  };
}

/** A quorum queue like the input queue, without dead-lettering. */
export async function quorumQueue(to: Outsider, queue: string, args: object = {}): Promise<void> {
  await to.channel.assertQueue(queue, { arguments: { 'x-queue-type': 'quorum', ...args } });
}
