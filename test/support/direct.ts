import { connect } from 'amqplib';

const PREFIX = 'amq.rabbitmq.reply-to.';
const KEY = 'aRuybEip8OQx7MTuuO7f1A==';

/** Erlang's external form of a process id: of node `node`, with numbers that stand for nothing. */
function processId(node: string, number: number): Buffer {
  const name = Buffer.from(node);
  const numbers = Buffer.alloc(12);
  numbers.writeUInt32BE(number, 0);
  return Buffer.concat([Buffer.from([131, 88, 119, name.length]), name, numbers]);
}

/** A well-formed direct reply address of an unknown node: RabbitMQ 3 closes the connection over it. */
export function addressOfNoNode(number: number): string {
  return `${PREFIX}${processId(`reply@${1_000_000_000 + number}`, number).toString('base64')}.${KEY}`;
}

const term = (...bytes: number[]) => `${PREFIX}${Buffer.from([131, ...bytes]).toString('base64')}.${KEY}`;
const ofNode = (node: string) => `${PREFIX}${processId(node, 1).toString('base64')}.${KEY}`;
const truncated = processId('reply@63878612', 1).toString('base64').slice(0, -4);
const longer = Buffer.concat([processId('reply@63878612', 1), Buffer.from([1])]).toString('base64');

/** Addresses over which RabbitMQ up to 4.1 closes the connection. */
export const closing: Readonly<Record<string, string>> = {
  'a text that is no term': `${PREFIX}g1h2AAAA.not==`,
  'two words': `${PREFIX}a.b`,
  'a process id that is cut off': `${PREFIX}${truncated}.${KEY}`,
  'an atom': term(119, 1, 97),
  'a number': term(97, 5),
  'a tuple': term(104, 0),
  'a very long one': `${PREFIX}${'A'.repeat(200)}.AAAA`,
  'letters beyond ASCII': `${PREFIX}é.ü`,
  'a NUL': `${PREFIX}a\0.b`,
  blanks: `${PREFIX}g1 h2.A A`,
};

/** Addresses that only RabbitMQ 3 closes the connection over; from 4.0 on it ignores them. */
export const closingOnThree: Readonly<Record<string, string>> = {
  'a process id with something behind it': `${PREFIX}${longer}.${KEY}`,
  'a node without a host': ofNode('foo'),
  'a node of that name': ofNode('rabbit@elsewhere'),
  'a node that is gone': addressOfNoNode(1),
  'a node with a hash that is none': ofNode('reply@abc'),
};

/** Addresses that are as invalid, but that RabbitMQ only ignores. */
export const ignored: Readonly<Record<string, string>> = {
  'no suffix': PREFIX,
  'a dot': `${PREFIX}.`,
  'no dot': `${PREFIX}x`,
  'three words': `${PREFIX}a.b.c`,
  'no process id': `${PREFIX}.${KEY}`,
};

/** A sender that gets its replies through RabbitMQ's direct reply-to. */
export interface DirectSender {
  /** The reply address that the broker gave to its channel. */
  address: string;
  /** Correlation ids of the replies so far. */
  heard: ReadonlySet<string>;
  /** Publishes to an exchange with its own reply address. */
  publish(exchange: string, routingKey: string, body: Buffer, correlationId: string): void;
  close(): Promise<void>;
}

export async function openDirectSender(amqpUrl: string): Promise<DirectSender> {
  const connection = await connect(amqpUrl);
  connection.on('error', () => {});
  const channel = await connection.createChannel();
  const heard = new Set<string>();
  const hear = (message: { properties: { correlationId?: unknown } } | null) =>
    heard.add(String(message?.properties.correlationId));
  await channel.consume('amq.rabbitmq.reply-to', hear, { noAck: true });
  const { queue } = await channel.assertQueue('', { exclusive: true });
  const address = await new Promise<string>((resolve) => {
    const seen = (message: { properties: { replyTo?: unknown } } | null) =>
      resolve(String(message?.properties.replyTo));
    channel.consume(queue, seen, { noAck: true });
    channel.sendToQueue(queue, Buffer.alloc(0), { replyTo: 'amq.rabbitmq.reply-to' });
  });
  return {
    address,
    heard,
    publish: (exchange, routingKey, body, correlationId) =>
      void channel.publish(exchange, routingKey, body, { correlationId, replyTo: 'amq.rabbitmq.reply-to' }),
    close: () => connection.close(),
  };
}
