import { afterAll, beforeAll, expect, it } from 'vitest';
import { watchDepths } from '../../../src/worker/queue-depths.ts';
import { LIMIT_MS, type Outsider, outsider, quorumQueue, supervise, until } from '../../support/broker.ts';
import { startProxy } from '../../support/proxy.ts';
import { testServices } from '../../support/stack.ts';

let services: Awaited<ReturnType<typeof testServices>>;
let other: Outsider;

beforeAll(async () => {
  services = await testServices('queue-depths');
  other = await outsider(services.amqpUrl);
  for (const queue of ['full', 'empty', 'leaderless']) await quorumQueue(other, queue);
  await other.fill('full', 3);
});
afterAll(async () => {
  await other?.close();
  await services?.drop();
});

it('shows the depths that the broker tells, and none that it does not', async () => {
  const proxy = await startProxy(services.amqpUrl);
  const connection = supervise(proxy.url(services.amqpUrl));
  const shown = new Map<string, number | null>();
  const watched = (queue: string, isConsuming = false) => ({
    queue,
    isConsuming: () => isConsuming,
    show: (ready: number | null) => void shown.set(queue, ready),
  });
  const stop = watchDepths(
    connection,
    [
      watched('full'),
      watched('empty'),
      watched('missing'),
      // The broker says that nobody consumes it, although this worker does.
      watched('leaderless', true),
    ],
    50,
  );
  await connection.whenUp(LIMIT_MS);
  const up = connection.current;
  await until(() => shown.get('full') === 3);
  expect(Object.fromEntries(shown)).toEqual({ full: 3, empty: 0, missing: null, leaderless: null });
  await other.fill('empty', 2);
  await until(() => shown.get('empty') === 2);
  // The missing queue has cost nothing but the channels on which it was asked about.
  expect(connection.current).toBe(up);
  await proxy.close();
  await until(() => shown.get('full') === null);
  expect([...shown.values()]).toEqual([null, null, null, null]);
  await stop();
  await connection.stop();
});
