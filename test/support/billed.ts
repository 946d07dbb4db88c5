import type { ConsumeMessage } from 'amqplib';
import type { BrokerConnection } from '../../src/broker/connect.ts';
import { superviseConnection } from '../../src/broker/supervisor.ts';
import { recordingLog, until } from './broker.ts';

export const BILLED = 'billed';
const QUEUE = 'rating';

/** Whoever rates calls by what BILLED_EXCHANGE is told. */
export interface RatingEngine {
  /** The ids of all calls and entries that it was told of. */
  readonly told: ReadonlySet<string>;
  readonly messages: number;
  close: () => Promise<void>;
}

/** Declares the exchange, with a durable queue that it empties as long as the broker is there. */
export async function openRatingEngine(amqpUrl: string): Promise<RatingEngine> {
  const told = new Set<string>();
  let messages = 0;
  let isThere = false;
  const supervised = superviseConnection({
    urls: amqpUrl.split(','),
    name: 'rating engine',
    heartbeatSeconds: 10,
    connectTimeoutMs: 10_000,
    random: Math.random,
    log: recordingLog(),
  });
  async function listen(connection: BrokerConnection): Promise<void> {
    const channel = await connection.openChannel();
    channel.on('error', () => undefined);
    const take = (message: ConsumeMessage | null) => {
      if (message === null) return;
      messages += 1;
      told.add(String(message.properties.messageId));
      channel.ack(message);
    };
    await channel.assertExchange(BILLED, 'topic', { durable: true });
    await channel.assertQueue(QUEUE, { durable: true });
    await channel.bindQueue(QUEUE, BILLED, '#');
    await channel.prefetch(500);
    await channel.consume(QUEUE, take);
    isThere = true;
  }
  supervised.attach({ onUp: listen });
  await until(() => isThere);
  return {
    told,
    get messages() {
      return messages;
    },
    close: () => supervised.stop(),
  };
}
