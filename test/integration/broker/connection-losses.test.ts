import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import type { ConnectionLoss } from '../../../src/broker/connect.ts';
import type { SupervisedConnection } from '../../../src/broker/supervisor.ts';
import { LIMIT_MS, supervise, until } from '../../support/broker.ts';
import { type FaultProxy, startProxy } from '../../support/proxy.ts';
import { testServices } from '../../support/stack.ts';

/** A frame of a kind that nobody knows, whose end is wrong too. */
const GARBAGE = Buffer.alloc(64, 0x7f);

let services: Awaited<ReturnType<typeof testServices>>;
let proxy: FaultProxy;
let supervised: SupervisedConnection;
let losses: (ConnectionLoss | null)[];

beforeAll(async () => {
  services = await testServices('connection-losses');
});
afterAll(() => services?.drop());
beforeEach(async () => {
  losses = [];
  proxy = await startProxy(services.amqpUrl);
  supervised = supervise(proxy.url(services.amqpUrl), {
    heartbeatSeconds: 1,
    onDown: (_, loss) => void losses.push(loss),
  });
  await supervised.whenUp(LIMIT_MS);
});
afterEach(async () => {
  proxy.resume();
  await supervised.stop();
  await proxy.close();
});

it.each([
  ['network', 'the socket breaks', () => proxy.cut()],
  ['heartbeat', 'nothing comes any more', () => proxy.stall()],
  ['broker', 'the broker closes it', () => proxy.say('client', GARBAGE)],
  ['decoding', 'something comes that is no frame', () => proxy.say('server', GARBAGE)],
  ['abandoned', 'this side gives it up', () => supervised.current?.abandon('no answer')],
] as const)('is told as %s where %s', async (cause, _, fault) => {
  fault();
  await until(() => losses.length > 0);
  expect(losses[0]).toBe(cause);
});

it('is none where this side closes it', async () => {
  await supervised.stop();
  expect(losses).toEqual([null]);
});
