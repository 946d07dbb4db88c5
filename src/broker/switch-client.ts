import { randomUUID } from 'node:crypto';
import { type BrokerTls, openFirst } from './connect.ts';
import { within } from './deadline.ts';
import { describeError } from './log.ts';

/** One reply as a switch receives it. */
export interface Answer {
  responses: { code: string; key: string; message: string }[];
  isDuplicate: boolean;
}

/** A message to submit: the body as it goes out and, where the topology wants one, the machine in its key. */
export interface Probe {
  body: string | Buffer;
  contentType?: string;
  machine?: string;
}

/** The system seen from a switch: publish to the exchange, wait for the reply on a queue of one's own. */
export interface SwitchClient {
  /** Resolves with the reply. Rejects when the message cannot be routed, or no reply came in time. */
  submit(probe: Probe): Promise<Answer>;
  /** The same with a routing key of one's own, right or wrong. */
  submitTo(routingKey: string, probe: Probe): Promise<Answer>;
  close(): Promise<void>;
}

interface Waiting {
  resolve: (answer: Answer) => void;
  reject: (error: Error) => void;
}

const CONNECT_TIMEOUT_MS = 10_000;
const HEARTBEAT_SECONDS = 10;

/**
 * Opens the switch client. The reply queue is exclusive, so it ends with the connection. Rejects with one line that
 * says what is wrong with the broker.
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
  const channel = await connection.openConfirmChannel();
  const replyQueue = `cdrs.reply.${randomUUID()}`;
  await channel.assertQueue(replyQueue, { exclusive: true, autoDelete: true });
  const waiting = new Map<string, Waiting>();
  let next = 0;

  const failAll = (reason: string) => {
    for (const { reject } of waiting.values()) reject(new Error(reason));
    waiting.clear();
  };
  connection.closed.then((reason) => failAll(`the connection to ${connection.broker} ended: ${reason}`));
  channel.on('error', (error) => failAll(`${connection.broker}: ${describeError(error)}`));
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
      waiting.get(id)?.resolve(readAnswer(message.content, message.properties.headers?.duplicate === true));
      waiting.delete(id);
    },
    { noAck: true },
  );

  const submitTo: SwitchClient['submitTo'] = (routingKey, { body, contentType = 'application/json' }) => {
    const correlationId = String(next++);
    const answer = new Promise<Answer>((resolve, reject) => {
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
    return within(answer, replyTimeoutMs, 'the reply').finally(() => waiting.delete(correlationId));
  };

  return {
    submitTo,
    submit: (probe) => submitTo(routingKeyFor(probe.machine), probe),
    close: () => connection.close(),
  };
}

/** A routing key holds 255 bytes, and a dot in a machine's name would only make more words of it. */
function routingKeyFor(machine: string | undefined): string {
  const key = machine ? `cdrs.create.${machine}` : 'cdrs.create';
  return Buffer.byteLength(key) <= 255 ? key : 'cdrs.create';
}

function readAnswer(content: Buffer, isDuplicate: boolean): Answer {
  const { responses } = JSON.parse(content.toString('utf8')) as Pick<Answer, 'responses'>;
  return { responses, isDuplicate };
}
