import { type Channel, type ChannelModel, connect } from 'amqplib';

/** A switch or rating engine as the broker sees it: what it declares, and how it publishes. */
export interface SwitchClient {
  publish(body: string): void;
  /** The error with which the broker closed its channel, if it did. */
  refusal(): Error | undefined;
  close(): Promise<void>;
}

interface Declared {
  exchange: string;
  type: 'topic' | 'fanout' | 'direct';
}

const DECLARED = { durable: true, autoDelete: false, internal: false, arguments: {} };

async function openChannel(url: string) {
  const connection: ChannelModel = await connect(url);
  const channel: Channel = await connection.createChannel();
  let refusal: Error | undefined;
  for (const one of [connection, channel])
    one.on('error', (error: Error) => {
      refusal = error;
    });
  return { channel, refusal: () => refusal, close: () => connection.close() };
}

/**
 * FreeSWITCH's mod_amqp: `exchange.declare` (not passive, durable, no arguments) at every connection, then `basic.publish` with
 * neither mandatory nor confirms, and the header that it adds.
 *
 * @param deliveryMode of the parameter `delivery-mode`; without it messages have none
 */
export async function modAmqp(
  url: string,
  { exchange, type }: Declared,
  deliveryMode?: 2,
): Promise<SwitchClient> {
  const { channel, refusal, close } = await openChannel(url);
  await channel.assertExchange(exchange, type, DECLARED);
  return {
    publish: (body) => {
      const seconds = Math.floor(Date.now() / 1000);
      channel.publish(exchange, 'cdrs.create.fs-ams-1', Buffer.from(body), {
        contentType: 'text/json',
        timestamp: seconds,
        headers: { x_Liquid_MessageSentTimeStamp: { '!': 'timestamp', value: seconds } },
        ...(deliveryMode && { deliveryMode }),
      });
    },
    refusal,
    close,
  };
}

/** CGRateS's `*amqp_json_map`: declares exchange and queue, binds them, publishes persistent JSON. */
export async function cgrates(url: string, { exchange, type }: Declared): Promise<SwitchClient> {
  const { channel, refusal, close } = await openChannel(url);
  const [queue, routingKey] = ['cgrates_cdrs', 'cdrs.create.cgrates'];
  await channel.assertExchange(exchange, type, DECLARED);
  await channel.assertQueue(queue, { durable: true, autoDelete: false, exclusive: false, arguments: {} });
  await channel.bindQueue(queue, exchange, routingKey);
  return {
    publish: (body) =>
      void channel.publish(exchange, routingKey, Buffer.from(body), {
        deliveryMode: 2,
        contentType: 'application/json',
      }),
    refusal,
    close,
  };
}

/** Yeti's cdr_amqp, with the properties that Ruby's bunny adds. */
export async function yeti(url: string): Promise<SwitchClient> {
  const { channel, refusal, close } = await openChannel(url);
  await channel.assertQueue('cdr_streaming', { durable: true });
  await channel.assertExchange('cdr_amqp', 'fanout', DECLARED);
  await channel.bindQueue('cdr_streaming', 'cdr_amqp', '');
  return {
    publish: (body) =>
      void channel.publish('cdr_amqp', '', Buffer.from(body), {
        deliveryMode: 2,
        contentType: 'application/octet-stream',
        priority: 0,
      }),
    refusal,
    close,
  };
}
