import { createServer } from 'node:net';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { SupervisedConnection } from '../../../src/broker/supervisor.ts';
import { LIMIT_MS, recordingLog, supervise, until } from '../../support/broker.ts';
import { type FaultProxy, startProxy } from '../../support/proxy.ts';
import { testServices } from '../../support/stack.ts';

describe('a supervised connection', () => {
  let services: Awaited<ReturnType<typeof testServices>>;
  let proxy: FaultProxy;
  let supervised: SupervisedConnection;
  let log: ReturnType<typeof recordingLog>;

  const variant = (change: (url: URL) => void) => {
    const url = new URL(services.amqpUrl);
    change(url);
    return url.href;
  };
  const isLogged = (text: string) => log.lines.some((line) => line.includes(text));

  beforeAll(async () => {
    services = await testServices('supervisor');
    proxy = await startProxy(services.amqpUrl);
  });
  afterAll(async () => {
    await proxy?.close();
    await services?.drop();
  });
  beforeEach(() => {
    log = recordingLog();
  });
  afterEach(async () => {
    proxy.resume();
    await supervised.stop();
  });

  it('goes on trying with a wrong password, says so, and never shows the password', async () => {
    supervised = supervise(
      variant((url) => {
        url.password = 'not-the-one';
      }),
      { log },
    );
    await until(() => isLogged('refuses this user or password'));
    await until(() => log.lines.length >= 2);
    expect(log.lines.join()).not.toContain('not-the-one');
    expect(await supervised.whenUp(10)).toBe(false);
  });

  it('goes on trying with a virtual host that does not exist, and says so', async () => {
    supervised = supervise(
      variant((url) => {
        url.pathname = '/no-such-vhost';
      }),
      { log },
    );
    await until(() => isLogged('the virtual host does not exist or this user may not use it'));
    await until(() => log.lines.length >= 2);
  });

  it('finds the node of a cluster that is up', async () => {
    const dead = variant((url) => {
      url.host = '127.0.0.1:1';
    });
    supervised = supervise([dead, dead, proxy.url(services.amqpUrl)], { log });
    expect(await supervised.whenUp(LIMIT_MS)).toBe(true);
    proxy.cut();
    await until(() => supervised.current === null);
    expect(await supervised.whenUp(LIMIT_MS)).toBe(true);
  });

  it('tells its users of every connection, and tries again when one of them cannot set up', async () => {
    const told: string[] = [];
    let failuresLeft = 2;
    supervised = supervise(proxy.url(services.amqpUrl), {
      log,
      async onUp(connection) {
        told.push('up');
        await (await connection.openChannel()).close();
        if (failuresLeft-- > 0) throw new Error('not this time');
      },
      onDown: () => told.push('down'),
    });
    expect(await supervised.whenUp(LIMIT_MS)).toBe(true);
    expect(told).toEqual(['up', 'down', 'up', 'down', 'up']);
    expect(isLogged('not this time')).toBe(true);
    const late: string[] = [];
    const leave = supervised.attach({
      onUp: () => void late.push('up'),
      onDown: () => void late.push('down'),
    });
    await until(() => late.length === 1);
    proxy.cut();
    await until(() => late.length === 3);
    expect(late).toEqual(['up', 'down', 'up']);
    leave();
    await supervised.stop();
    expect(late).toHaveLength(3);
    expect(told.at(-1)).toBe('down');
  });

  it('abandons a broker that accepts and stays silent, and stops without waiting for it', async () => {
    const silent = createServer(() => {});
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    const address = silent.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const url = variant((it) => {
      it.host = `127.0.0.1:${port}`;
    });
    supervised = supervise(url, { log, connectTimeoutMs: 200 });
    await until(() => isLogged('cannot be reached'));
    await supervised.stop();
    supervised = supervise(url, { log, connectTimeoutMs: 60_000 });
    const started = performance.now();
    await supervised.stop();
    expect(performance.now() - started).toBeLessThan(5_000);
    silent.close();
  });

  it('closes by force, in bounded time, when the broker does not answer the close', async () => {
    supervised = supervise(proxy.url(services.amqpUrl), { log, connectTimeoutMs: 500, heartbeatSeconds: 60 });
    expect(await supervised.whenUp(LIMIT_MS)).toBe(true);
    proxy.stall();
    const started = performance.now();
    await supervised.stop();
    expect(performance.now() - started).toBeLessThan(3_000);
  });

  it('leaves no connection behind when it is stopped', async () => {
    supervised = supervise(proxy.url(services.amqpUrl), { log });
    expect(await supervised.whenUp(LIMIT_MS)).toBe(true);
    await supervised.stop();
    await until(() => proxy.connections === 0);
    expect(supervised.current).toBe(null);
  });
});
