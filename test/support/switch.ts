import type { ConsumeMessage } from 'amqplib';
import type { BrokerConnection } from '../../src/broker/connect.ts';
import { createPublisher } from '../../src/broker/publisher.ts';
import { superviseConnection } from '../../src/broker/supervisor.ts';
import { Random } from '../simulation/random.ts';
import { recordingLog, until } from './broker.ts';

/** A call as it was sent; its cost in millionths. */
export interface SentCall {
  uniqueid: string;
  customer: number;
  cost: bigint;
}

/** A correction as it was sent: the new cost in millionths, null where the call is voided. */
export interface SentCorrection {
  id: string;
  cost: bigint | null;
}

/** One message. A call may be sent in several, which differ in their correlation ids. */
export interface Message {
  call: SentCall;
  correlationId: string;
  replyTo?: string;
  /** The broker may drop its reply, so it is not waited for. */
  isUnanswerable?: true;
  /** It corrects the call, which is not sent by it. */
  correction?: SentCorrection;
}

export interface Heard {
  queue: string;
  code: string;
  key: string;
  isDuplicate: boolean;
}

/** A switch that resends whatever is not confirmed, and remembers every reply. */
export interface TestSwitch {
  readonly random: Random;
  /** Every call that was made, by uniqueid. All of them must be sent. */
  readonly calls: ReadonlyMap<string, SentCall>;
  readonly messages: number;
  /** Messages without a reply. */
  readonly unanswered: number;
  /** The replies to one message: several after a redelivery. */
  heard(correlationId: string): readonly Heard[];
  /** Makes new calls without sending them: two of three are of one customer, every tenth has two messages. */
  make(count: number): Message[];
  /** Makes a correction of each of these calls, in the name of the shop: every third voids it, every tenth has two messages. */
  correct(calls: readonly SentCall[]): Message[];
  /** The body of a message about this call. */
  bodyOf: (call: SentCall) => Buffer;
  /** Resolves when the broker has confirmed all of them. */
  send(messages: readonly Message[]): Promise<void>;
  /** Sends new calls until `stop`, with a bounded number of them unanswered, and corrections of so many beside 50 of them. */
  keepSending(corrections?: number): { stop: () => Promise<void> };
  /** Waits until this many more messages are answered. */
  moreAnswered(count: number): Promise<void>;
  close(): Promise<void>;
}

export const REPLIES = 'cdrs.reply.switch';
const RESULTS = 'cdrs.results';
const CUSTOMERS = 3;
const CHUNK = 50;
const MOST_UNANSWERED = 1500;
const AGAIN_MS = 50;
/** An overload ends sooner; a channel that refuses for longer is broken. */
const REFUSED_MS = 3000;

/**
 * Opens a switch. Its reply queue is durable, so that a restart of the broker loses no confirmed reply.
 *
 * @param onReply is told of every reply, with the correlation id of its message
 */
export async function openSwitch(
  amqpUrl: string,
  password: string,
  seed: number,
  onReply: (correlationId: string) => void = () => undefined,
): Promise<TestSwitch> {
  const random = new Random(seed);
  const calls = new Map<string, SentCall>();
  const waiting = new Set<string>();
  const replies = new Map<string, Heard[]>();
  let latest: SentCall[] = [];
  let messages = 0;
  let answered = 0;

  const connect = (name: string) =>
    superviseConnection({
      urls: amqpUrl.split(','),
      name,
      heartbeatSeconds: 10,
      connectTimeoutMs: 10_000,
      random: Math.random,
      log: recordingLog(),
    });
  // In a cluster a classic queue would be gone with its node.
  const replyQueue = amqpUrl.includes(',') ? { 'x-queue-type': 'quorum' } : {};
  // Two connections, because an alarm blocks the one that publishes.
  const sending = connect('switch sends');
  const hearing = connect('switch hears');
  const publisher = createPublisher(sending, { timeoutMs: 10_000, maxInFlight: 1000 });
  hearing.attach({
    onUp: async (connection) => {
      const channel = await connection.openChannel();
      await channel.assertQueue(REPLIES, { durable: true, arguments: replyQueue });
      await channel.close();
    },
  });

  /** Consumes a queue while the connection lives; retries when the queue is not there yet or the channel is lost. */
  async function listen(connection: BrokerConnection, queue: string): Promise<void> {
    const again = () => setTimeout(() => void listen(connection, queue), AGAIN_MS).unref();
    const channel = await connection.openChannel().catch(() => undefined);
    if (channel === undefined || connection !== hearing.current) return;
    channel.on('error', () => {});
    channel.on('close', () => connection === hearing.current && again());
    const take = (message: ConsumeMessage | null) => {
      if (message === null) return void channel.close();
      hear(queue, message);
      channel.ack(message);
    };
    await channel
      .prefetch(500)
      .then(() => channel.consume(queue, take))
      .catch(() => undefined);
  }
  hearing.attach({
    onUp: (connection) => {
      setImmediate(() => [REPLIES, RESULTS].map((queue) => listen(connection, queue)));
    },
  });

  function hear(queue: string, { content, properties }: ConsumeMessage): void {
    const { responses } = JSON.parse(content.toString()) as {
      responses: { code: string; key: string }[];
    };
    const [first] = responses;
    const id = String(properties.correlationId ?? '');
    const reply = { queue, code: first?.code ?? '', key: first?.key ?? '' };
    const before = replies.get(id) ?? [];
    replies.set(id, [...before, { ...reply, isDuplicate: properties.headers?.duplicate === true }]);
    if (waiting.delete(id)) answered += 1;
    onReply(id);
  }

  function make(count: number): Message[] {
    return Array.from({ length: count }, () => {
      const uniqueid = `${seed}.${calls.size + 1}`;
      const customer = random.chance(2 / 3) ? 1 : random.between(1, CUSTOMERS);
      // A multiple of 5, so that 20 % of it are exact.
      const call = { uniqueid, customer, cost: 5n * BigInt(random.between(0, 1_000_000)) };
      calls.set(uniqueid, call);
      const copies = random.chance(0.1) ? 2 : 1;
      return Array.from({ length: copies }, (_, copy) => ({ call, correlationId: `${uniqueid}/${copy}` }));
    }).flat();
  }

  let corrections = 0;
  function correct(corrected: readonly SentCall[]): Message[] {
    return corrected.flatMap((call) => {
      corrections += 1;
      const id = `${seed}.c${corrections}`;
      const cost = random.chance(1 / 3) ? null : 5n * BigInt(random.between(0, 1_000_000));
      const copies = random.chance(0.1) ? 2 : 1;
      return Array.from({ length: copies }, (_, copy) => ({
        call,
        correlationId: `${id}/${copy}`,
        correction: { id, cost },
      }));
    });
  }

  async function send(batch: readonly Message[]): Promise<void> {
    for (const { correlationId, isUnanswerable } of batch) if (!isUnanswerable) waiting.add(correlationId);
    messages += batch.length;
    let open = batch.map((message) => outgoing(message, password));
    let refusedMs = 0;
    while (open.length > 0) {
      const results = await publisher.publishBatch(open);
      open = open.filter((_, index) => results[index]?.kind !== 'confirmed');
      const isRefused = results.every((result) => result.kind === 'failed' && result.reason === 'nacked');
      refusedMs = isRefused ? refusedMs + AGAIN_MS : 0;
      // In RabbitMQ 3.10 a channel may refuse everything for ever after its queue has lost its leader.
      if (refusedMs > REFUSED_MS) sending.current?.abandon('nothing but refusals');
      if (open.length > 0) await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
    }
  }

  return {
    random,
    calls,
    get messages() {
      return messages;
    },
    get unanswered() {
      return waiting.size;
    },
    heard: (correlationId) => replies.get(correlationId) ?? [],
    make,
    correct,
    bodyOf: (call) => bodyOf(call, password),
    send,
    keepSending(corrected = 0) {
      let stopped = false;
      const chunk = () => {
        const made = make(CHUNK);
        const sent = [...made.map(({ call }) => call), ...latest];
        latest = made.map(({ call }) => call);
        // Of those just sent, which may not be stored yet, and of those before.
        const some = Array.from({ length: corrected }, () => sent[random.between(0, sent.length - 1)] ?? []);
        return [...made, ...correct(some.flat())];
      };
      const work = async () => {
        while (!stopped) {
          if (waiting.size < MOST_UNANSWERED) await send(chunk());
          else await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
        }
      };
      const running = work();
      return {
        stop: async () => {
          stopped = true;
          await running;
        },
      };
    },
    moreAnswered: async (count) => {
      const target = answered + count;
      await until(() => answered >= target);
    },
    close: async () => {
      publisher.close();
      await Promise.all([sending.stop(), hearing.stop()]);
    },
  };
}

function outgoing({ call, correlationId, replyTo, correction }: Message, password: string) {
  const properties = { contentType: 'application/json', correlationId, replyTo: replyTo ?? REPLIES };
  const to = { exchange: 'cdrs', mandatory: true };
  if (correction === undefined)
    return { ...to, routingKey: 'cdrs.create.m', body: bodyOf(call, password), properties };
  const { id, cost } = correction;
  const body = {
    auth_username: 'shop',
    auth_password: password,
    uniqueid: call.uniqueid,
    ...(cost !== null && { cost: inUnits(cost) }),
  };
  return {
    ...to,
    routingKey: cost === null ? 'cdrs.void' : 'cdrs.update',
    body: Buffer.from(JSON.stringify(body)),
    properties: { ...properties, messageId: id },
  };
}

function inUnits(millionths: bigint): string {
  return `${millionths / 1_000_000n}.${String(millionths % 1_000_000n).padStart(6, '0')}`;
}

function bodyOf(call: SentCall, password: string): Buffer {
  const body = {
    auth_username: 'switch',
    auth_password: password,
    uniqueid: call.uniqueid,
    machine: 'm',
    start: 1_700_000_000,
    scustomer: call.customer,
    cost: inUnits(call.cost),
    taxes: '1',
  };
  return Buffer.from(JSON.stringify(body));
}
