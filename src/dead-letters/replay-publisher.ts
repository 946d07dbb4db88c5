import { createPublisher, type OutgoingMessage, type PublishResult } from '../broker/publisher.ts';
import { superviseConnection } from '../broker/supervisor.ts';
import { defaultNames } from '../broker/topology.ts';
import type { brokerOf } from '../connections.ts';
import { REPLAY_HEADER } from '../domain/replay-header.ts';
import { backoffMs, sleep } from '../retry.ts';
import type { ReplayMessage } from './message.ts';

/** The broker is unreachable, or does not confirm what is published. */
export class BrokerError extends Error {}

/** Publishes replays to the exchange that switches publish to. */
export interface ReplayPublisher {
  /** Resolves when the broker has confirmed all messages; rejects with BrokerError after 30 s without success. */
  publish: (messages: readonly ReplayMessage[]) => Promise<void>;
  close: () => Promise<void>;
}

const HEARTBEAT_SECONDS = 10;
const CONNECT_TIMEOUT_MS = 10_000;
const CONFIRM_TIMEOUT_MS = 10_000;
const GIVE_UP_MS = 30_000;
const silent = () => undefined;
const noLog = { debug: silent, info: silent, warn: silent, error: silent };

/** Rejects with BrokerError if no broker can be reached. */
export async function openReplayPublisher(brokers: ReturnType<typeof brokerOf>): Promise<ReplayPublisher> {
  let problem = '';
  const connection = superviseConnection({
    ...brokers,
    name: 'cdr-ingest dead replay',
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
  return {
    publish: (messages) => publishAll(messages.map(outgoing), publisher.publishBatch),
    close,
  };
}

/** Publishes again what was not confirmed: the worker answers a second copy like the first. */
async function publishAll(
  messages: readonly OutgoingMessage[],
  publish: (messages: readonly OutgoingMessage[]) => Promise<PublishResult[]>,
): Promise<void> {
  const deadline = performance.now() + GIVE_UP_MS;
  for (let open = messages, attempt = 0; open.length > 0; attempt += 1) {
    const results = await publish(open);
    open = open.filter((_, index) => results[index]?.kind !== 'confirmed');
    const failure = results.find(({ kind }) => kind !== 'confirmed');
    if (failure === undefined) return;
    if (performance.now() > deadline)
      throw new BrokerError(`the broker does not confirm the replays: ${detailOf(failure)}`);
    await sleep(backoffMs(attempt));
  }
}

function detailOf(result: PublishResult): string {
  if (result.kind === 'returned')
    return `no queue is bound to exchange "${defaultNames.exchange}"; declare the topology`;
  return result.kind === 'failed' ? result.detail : '';
}

function outgoing({
  traceparent,
  body,
  routingKey,
  replayHeader,
  contentType,
  replyTo,
  correlationId,
}: ReplayMessage): OutgoingMessage {
  return {
    exchange: defaultNames.exchange,
    routingKey,
    body,
    mandatory: true,
    properties: {
      headers: { [REPLAY_HEADER]: replayHeader, ...(traceparent === undefined ? {} : { traceparent }) },
      ...(contentType === null ? {} : { contentType }),
      ...(replyTo === null ? {} : { replyTo }),
      ...(correlationId === null ? {} : { correlationId }),
    },
  };
}
