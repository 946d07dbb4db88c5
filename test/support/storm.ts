import { outsider } from './broker.ts';

/** A sender of a high, even rate of messages. */
export interface Storm {
  /** Messages sent so far. */
  readonly sent: number;
  stop: () => Promise<void>;
}

const TICK_MS = 20;

/**
 * Sends `bodyOf(0)`, `bodyOf(1)`, … at this rate until `stop`. The replies go to the results exchange and are ignored.
 */
export async function storm(
  amqpUrl: string,
  perSecond: number,
  bodyOf: (index: number) => string,
): Promise<Storm> {
  const { channel, close } = await outsider(amqpUrl);
  let sent = 0;
  const began = performance.now();
  const timer = setInterval(() => {
    const due = Math.floor(((performance.now() - began) / 1000) * perSecond);
    for (; sent < due; sent += 1) {
      const properties = {
        contentType: 'application/json',
        correlationId: `storm ${sent}`,
        persistent: true,
      };
      channel.publish('cdrs', 'cdrs.create', Buffer.from(bodyOf(sent)), properties);
    }
  }, TICK_MS);
  return {
    get sent() {
      return sent;
    },
    stop: async () => {
      clearInterval(timer);
      await channel.waitForConfirms();
      await close();
    },
  };
}
