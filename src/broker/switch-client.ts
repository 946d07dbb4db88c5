import { randomUUID } from 'node:crypto';
import { within } from '../retry.ts';
import { type BrokerConnection, type BrokerTls, openFirst } from './connect.ts';
import { describeError } from './log.ts';

/** A reply as a switch receives it. */
export interface SwitchReply {
  responses: { code: string; key: string; message: string }[];
  isDuplicate: boolean;
}

/** A message to submit. */
export interface Probe {
  body: string | Buffer;
  contentType?: string;
  /** Goes into the routing key. */
  machine?: string;
}

/** Acts as a switch: publishes a message to the exchange and waits for the reply on its own queue. */
export interface SwitchClient {
  /** Resolves with the reply. Rejects if the message is unroutable, or no reply comes in time. */
  submit(probe: Probe): Promise<SwitchReply>;
  /** The same with any routing key. */
  submitTo(routingKey: string, probe: Probe): Promise<SwitchReply>;
  /** Resolves with the reason when no more can be submitted. */
  closed: Promise<string>;
  close(): Promise<void>;
}

interface Waiting {
  resolve: (reply: SwitchReply) => void;
  reject: (error: Error) => void;
}

const CONNECT_TIMEOUT_MS = 10_000;
const HEARTBEAT_SECONDS = 10;

/**
 * Connects a switch client. Its reply queue is exclusive, so it ends with the connection. Rejects with one
 * line: the problem with the broker.
 */
export async function openSwitchClient(
  urls: readonly string[],
  exchange: string,
  replyTimeoutMs: number,
  tls?: BrokerTls,
): Promise<SwitchClient> {
  const connection = await openFirst({
    urls,
    name: 'cdr-ingest publish',
    heartbeatSeconds: HEARTBEAT_SECONDS,
    connectTimeoutMs: CONNECT_TIMEOUT_MS,
    tls,
  });
  try {
    return await openClient(connection, exchange, replyTimeoutMs);
  } catch (error) {
    await connection.close();
    throw error;
  }
}

async function openClient(
  connection: BrokerConnection,
  exchange: string,
  replyTimeoutMs: number,
): Promise<SwitchClient> {
  const channel = await connection.openConfirmChannel();
  const waiting = new Map<string, Waiting>();
  let next = 0;

  let end: (reason: string) => void;
  const closed = new Promise<string>((resolve) => {
    end = resolve;
  });
  const failAll = (reason: string) => {
    end(reason);
    for (const { reject } of waiting.values()) reject(new Error(reason));
    waiting.clear();
  };
  connection.closed.then((reason) => failAll(`the connection to ${connection.broker} ended: ${reason}`));
  channel.on('error', (error) => failAll(`${connection.broker}: ${describeError(error)}`));
  await channel.checkExchange(exchange).catch((error: unknown) => {
    const problem = describeError(error);
    throw new Error(problem.includes('NOT_FOUND') ? `${problem}; run "cdr-ingest topology"` : problem);
  });
  const replyQueue = `cdrs.reply.${randomUUID()}`;
  await channel.assertQueue(replyQueue, { exclusive: true, autoDelete: true });
  channel.on('return', ({ properties }) => {
    const id = String(properties.correlationId);
    waiting
      .get(id)
      ?.reject(new Error(`exchange "${exchange}" has no queue for this call: declare the topology`));
    waiting.delete(id);
  });
  await channel.consume(
    replyQueue,
    (message) => {
      if (message === null) return failAll('the reply queue was deleted');
      const id = String(message.properties.correlationId);
      waiting.get(id)?.resolve(readReply(message.content, message.properties.headers?.duplicate === true));
      waiting.delete(id);
    },
    { noAck: true },
  );

  const submitTo: SwitchClient['submitTo'] = (routingKey, { body, contentType = 'application/json' }) => {
    const correlationId = String(next++);
    const reply = new Promise<SwitchReply>((resolve, reject) => {
      waiting.set(correlationId, { resolve, reject });
      const options = {
        contentType,
        correlationId,
        replyTo: replyQueue,
        persistent: true,
        mandatory: true,
        timestamp: Math.floor(Date.now() / 1000),
      };
      channel.publish(exchange, routingKey, Buffer.from(body), options, (error) => {
        if (error) reject(new Error('the broker refused the message: its queue is full or unavailable'));
      });
    });
    return within(reply, replyTimeoutMs, 'the reply').finally(() => waiting.delete(correlationId));
  };

  return {
    submitTo,
    submit: (probe) => submitTo(routingKeyFor(probe.machine), probe),
    closed,
    close: () => connection.close(),
  };
}

/** A routing key holds 255 bytes. Dots in a machine's name only add words, which the binding takes. */
function routingKeyFor(machine: string | undefined): string {
  const key = machine ? `cdrs.create.${machine}` : 'cdrs.create';
  return Buffer.byteLength(key) <= 255 ? key : 'cdrs.create';
}

function readReply(content: Buffer, isDuplicate: boolean): SwitchReply {
  const { responses } = JSON.parse(content.toString('utf8')) as Pick<SwitchReply, 'responses'>;
  return { responses, isDuplicate };
}
