import { createPublisher, type OutgoingMessage, type PublishResult } from '../broker/publisher.ts';
import { superviseConnection } from '../broker/supervisor.ts';
import { defaultNames } from '../broker/topology.ts';
import type { brokerOf } from '../connections.ts';
import { REPLAY_HEADER } from '../domain/replay-header.ts';
import { backoffMs, sleep } from '../retry.ts';
import type { ReplayMessage } from './message.ts';

/** The broker cannot be reached, or does not take what is sent. */
export class BrokerError extends Error {}

/** Dead letters on their way back through the switch client. */
export interface Sender {
  /** Resolves when the broker has confirmed all of them; rejects with BrokerError after 30 s without success. */
  send: (messages: readonly ReplayMessage[]) => Promise<void>;
  close: () => Promise<void>;
}

const HEARTBEAT_SECONDS = 10;
const CONNECT_TIMEOUT_MS = 10_000;
const CONFIRM_TIMEOUT_MS = 10_000;
const GIVE_UP_MS = 30_000;
const silent = () => undefined;
const noLog = { debug: silent, info: silent, warn: silent, error: silent };

/** Rejects with BrokerError when no broker can be reached. */
export async function openSender(brokers: ReturnType<typeof brokerOf>): Promise<Sender> {
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
    throw new BrokerError(problem || 'the broker cannot be reached');
  }
  return { send: (messages) => sendAll(messages.map(outgoing), publisher.publishBatch), close };
}

/**
 * What may or may not have arrived is sent again: the worker answers a second copy as it answered the first.
 */
async function sendAll(
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
      throw new BrokerError(`the broker does not take the replays: ${told(failure)}`);
    await sleep(backoffMs(attempt));
  }
}

function told(result: PublishResult): string {
  if (result.kind === 'returned')
    return `exchange "${defaultNames.exchange}" has no queue: declare the topology`;
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
