import { expect, it } from 'vitest';
import type { BrokerConnection } from '../../src/broker/connect.ts';
import { readDepth } from '../../src/broker/depth.ts';

it('a queue about which no answer comes in time leaves no channel open', async () => {
  let closed = 0;
  const channel = {
    on: () => channel,
    checkQueue: () => new Promise(() => undefined),
    close: async () => {
      closed += 1;
    },
  };
  const connection: Pick<BrokerConnection, 'rpcTimeoutMs'> & { openChannel: () => Promise<unknown> } = {
    rpcTimeoutMs: 10,
    openChannel: async () => channel,
  };
  expect(await readDepth(connection as unknown as BrokerConnection, 'slow')).toBeNull();
  expect(closed).toBe(1);
});
