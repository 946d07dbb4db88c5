import { type ConsumeMessage, connect } from 'amqplib';
import { until } from './broker.ts';

/** Stands in the place of workers: takes the messages of `cdrs.create` as they were sent, and answers them as it is told. */
export interface Taker {
  readonly taken: readonly ConsumeMessage[];
  readonly bodies: readonly string[];
  /** Answers one message; resolves when the broker has the reply. */
  reply: (message: ConsumeMessage | undefined, code?: string) => Promise<void>;
  /** Resolves when this many messages have come. */
  came: (count: number) => Promise<void>;
  /** Forgets what came. */
  forget: () => void;
  close: () => Promise<void>;
}

/** @param replies whether each message is answered 204 as it comes */
export async function openTaker(amqpUrl: string, replies: () => boolean = () => true): Promise<Taker> {
  const connection = await connect(amqpUrl);
  const channel = await connection.createConfirmChannel();
  const taken: ConsumeMessage[] = [];
  const reply: Taker['reply'] = async (message, code = '204') => {
    const { replyTo, correlationId } = message?.properties ?? {};
    const body = JSON.stringify({ responses: [{ code, key: '', message: 'OK' }] });
    channel.sendToQueue(String(replyTo), Buffer.from(body), { correlationId });
    await channel.waitForConfirms();
  };
  await channel.consume(
    'cdrs.create',
    (message) => {
      if (message === null) return;
      taken.push(message);
      if (replies()) void reply(message);
    },
    { noAck: true },
  );
  return {
    taken,
    get bodies() {
      return taken.map(({ content }) => content.toString());
    },
    reply,
    came: (count) => until(() => taken.length >= count),
    forget: () => void taken.splice(0),
    close: () => connection.close(),
  };
}
