import { within } from '../retry.ts';
import type { BrokerConnection } from './connect.ts';

/** What AMQP shows of a queue. */
export interface Depth {
  ready: number;
  consumers: number;
}

/** Asks without declaring anything. Null if the queue does not exist or may not be asked about, or no answer comes. */
export async function readDepth(connection: BrokerConnection, queue: string): Promise<Depth | null> {
  const channel = await connection.openChannel();
  // A missing queue closes the channel; without a listener, its error would close the connection too.
  channel.on('error', () => {});
  try {
    const { messageCount, consumerCount } = await within(
      channel.checkQueue(queue),
      connection.rpcTimeoutMs,
      `the answer about ${queue}`,
    );
    channel.close().catch(() => {});
    return { ready: messageCount, consumers: consumerCount };
  } catch {
    // Of an answer that is only late: a channel left open each time would use up the connection's.
    channel.close().catch(() => {});
    return null;
  }
}
