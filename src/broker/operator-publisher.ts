import { backoffMs, sleep } from '../retry.ts';
import type { BrokerTls } from './connect.ts';
import { createPublisher, type OutgoingMessage, type PublishResult } from './publisher.ts';
import { superviseConnection } from './supervisor.ts';

/** The broker is unreachable, or does not confirm what is published. */
export class BrokerError extends Error {}

/** Publishes what operators ask for, from a command or the console. */
export interface OperatorPublisher {
  /** Resolves when the broker has confirmed all messages; rejects with BrokerError where it does not. */
  publish: (messages: readonly OutgoingMessage[]) => Promise<void>;
  close: () => Promise<void>;
}

/** The brokers of one cluster. */
export interface Brokers {
  urls: readonly string[];
  tls?: BrokerTls | undefined;
}

const HEARTBEAT_SECONDS = 10;
const CONNECT_TIMEOUT_MS = 10_000;
const CONFIRM_TIMEOUT_MS = 10_000;
const GIVE_UP_MS = 30_000;
const silent = () => undefined;
const noLog = { debug: silent, info: silent, warn: silent, error: silent };

/**
 * Rejects with BrokerError if no broker can be reached.
 *
 * @param name the command, as the broker shows it
 * @param giveUpMs how long publishing is tried again
 */
export async function openOperatorPublisher(
  brokers: Brokers,
  name: string,
  giveUpMs: number = GIVE_UP_MS,
): Promise<OperatorPublisher> {
  let problem = '';
  const connection = superviseConnection({
    ...brokers,
    name: `cdr-ingest ${name}`,
    heartbeatSeconds: HEARTBEAT_SECONDS,
    connectTimeoutMs: CONNECT_TIMEOUT_MS,
    random: Math.random,
    log: { ...noLog, warn: (_, message) => (problem = message) },
  });
  const publisher = createPublisher(connection, { timeoutMs: CONFIRM_TIMEOUT_MS, maxInFlight: 5000 });
  const close = async () => {
    publisher.close();
    await connection.stop();
  };
  if (!(await connection.whenUp(CONNECT_TIMEOUT_MS))) {
    await close();
    throw new BrokerError(problem || 'the broker is unreachable');
  }
  return { publish: (messages) => publishAll(messages, publisher.publishBatch, giveUpMs), close };
}

/** Publishes again what was not confirmed: the worker answers a second copy like the first. */
async function publishAll(
  messages: readonly OutgoingMessage[],
  publish: (messages: readonly OutgoingMessage[]) => Promise<PublishResult[]>,
  giveUpMs: number,
): Promise<void> {
  const deadline = performance.now() + giveUpMs;
  for (let open = messages, attempt = 0; open.length > 0; attempt += 1) {
    const results = await publish(open);
    const [exchange = ''] = open.map((message) => message.exchange);
    open = open.filter((_, index) => results[index]?.kind !== 'confirmed');
    const failure = results.find(({ kind }) => kind !== 'confirmed');
    if (failure === undefined) return;
    if (performance.now() > deadline)
      throw new BrokerError(`the broker does not confirm what was sent: ${detailOf(failure, exchange)}`);
    await sleep(backoffMs(attempt));
  }
}

function detailOf(result: PublishResult, exchange: string): string {
  if (result.kind === 'returned') return `no queue is bound to exchange "${exchange}"; declare the topology`;
  return result.kind === 'failed' ? result.detail : '';
}
