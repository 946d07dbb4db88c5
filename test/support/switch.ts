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

/** One message: a call may be sent in several. The correlation id tells them apart. */
export interface Message {
  call: SentCall;
  correlationId: string;
  replyTo?: string;
  /** The broker may drop its reply, so nobody waits for it. */
  isUnanswerable?: true;
}

export interface Heard {
  queue: string;
  code: string;
  key: string;
  isDuplicate: boolean;
}

/** A telephone switch that never gives up: what is not confirmed is sent again, what is answered is remembered. */
export interface TestSwitch {
  readonly random: Random;
  /** By uniqueid, from the moment it was made: everything made must be sent. */
  readonly calls: ReadonlyMap<string, SentCall>;
  readonly messages: number;
  /** Messages that no reply has come for. */
  readonly unanswered: number;
  /** The replies to one message; several after a redelivery. */
  heard(correlationId: string): readonly Heard[];
  /** So many new calls, not sent yet: two of three for one customer, each tenth one twice. */
  make(count: number): Message[];
  /** The body of a message about this call. */
  bodyOf: (call: SentCall) => Buffer;
  /** Resolves when the broker has confirmed all of them. */
  send(messages: readonly Message[]): Promise<void>;
  /** Sends new calls until `stop`, with a bounded number of them unanswered. */
  keepSending(): { stop: () => Promise<void> };
  /** Waits for so many more messages to be answered. */
  moreAnswered(count: number): Promise<void>;
  close(): Promise<void>;
}

export const REPLIES = 'cdrs.reply.switch';
const RESULTS = 'cdrs.results';
const CUSTOMERS = 3;
const CHUNK = 50;
const MOST_UNANSWERED = 1500;
const AGAIN_MS = 50;
/** An overload ends sooner; what is longer is a channel that has lost its way. */
const REFUSED_MS = 3000;

/** The reply queue is durable, so that a restart of the broker can cost no reply that was confirmed. */
export async function openSwitch(amqpUrl: string, password: string, seed: number): Promise<TestSwitch> {
  const random = new Random(seed);
  const calls = new Map<string, SentCall>();
  const waiting = new Set<string>();
  const replies = new Map<string, Heard[]>();
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
  // In a cluster a queue of one node would be gone with it.
  const replyQueue = amqpUrl.includes(',') ? { 'x-queue-type': 'quorum' } : {};
  // Two, because an alarm blocks the one that publishes.
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

  /** Hears a queue for as long as the connection lives; again when it is not there yet, or its channel is lost. */
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
      // A channel of RabbitMQ 3.10 that sees its queue's leader go may refuse everything from then on, for ever.
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
    bodyOf: (call) => bodyOf(call, password),
    send,
    keepSending() {
      let stopped = false;
      const work = async () => {
        while (!stopped) {
          if (waiting.size < MOST_UNANSWERED) await send(make(CHUNK));
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

function outgoing({ call, correlationId, replyTo }: Message, password: string) {
  const properties = { contentType: 'application/json', correlationId, replyTo: replyTo ?? REPLIES };
  const body = bodyOf(call, password);
  return { exchange: 'cdrs', routingKey: 'cdrs.create.m', mandatory: true, body, properties };
}

function bodyOf(call: SentCall, password: string): Buffer {
  const body = {
    auth_username: 'switch',
    auth_password: password,
    uniqueid: call.uniqueid,
    machine: 'm',
    start: 1_700_000_000,
    scustomer: call.customer,
    cost: `${call.cost / 1_000_000n}.${String(call.cost % 1_000_000n).padStart(6, '0')}`,
    taxes: '1',
  };
  return Buffer.from(JSON.stringify(body));
}
