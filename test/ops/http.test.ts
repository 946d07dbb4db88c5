import { Agent, request } from 'node:http';
import { connect } from 'node:net';
import { Gauge, Registry } from 'prom-client';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { BoundedServer } from '../../src/ops/bounded-server.ts';
import { serveOps } from '../../src/ops/http.ts';

let server: BoundedServer;
let scraped = 0;
let asked = 0;
let release: () => void;
let agent: Agent;

beforeEach(async () => {
  scraped = 0;
  asked = 0;
  const registry = new Registry();
  new Gauge({
    name: 'x',
    help: 'x',
    registers: [registry],
    collect() {
      scraped += 1;
    },
  });
  const gate = new Promise<void>((resolve) => {
    release = resolve;
  });
  agent = new Agent({ keepAlive: true });
  server = await serveOps({
    host: '127.0.0.1',
    port: 0,
    registry,
    readiness: async () => {
      asked += 1;
      await gate;
      return { consuming: true, database: true };
    },
  });
});

afterEach(async () => {
  agent.destroy();
  await server.close();
});

/** The status of an answer, 0 where the connection was closed without one. */
function ask(path: string, method = 'GET', localAddress = '127.0.0.1'): Promise<number> {
  return new Promise((resolve) => {
    const sent = request(
      { host: '127.0.0.1', port: server.port, path, method, agent, localAddress },
      (answer) => {
        answer.resume().on('end', () => resolve(answer.statusCode ?? 0));
      },
    );
    sent.on('error', () => resolve(0)).end();
  });
}

const repeated = (count: number, work: () => Promise<number>) =>
  Promise.all(Array.from({ length: count }, work));

describe('/readyz and /metrics', () => {
  it('are read once for all waiting requests, and for those that follow within a moment', async () => {
    const waiting = repeated(40, () => ask('/readyz'));
    const scraping = await repeated(9, () => ask('/metrics'));
    release();
    expect(await waiting).toEqual(Array(40).fill(200));
    expect(scraping).toEqual(Array(9).fill(200));
    expect({ asked, scraped }).toEqual({ asked: 1, scraped: 1 });
  });

  it('are read again for later requests', async () => {
    release();
    await ask('/readyz');
    await expect.poll(() => ask('/readyz').then(() => asked), { timeout: 5000, interval: 100 }).toBe(2);
  });
});

it('two hundred clients that keep asking get a bounded number of answers, and delay nobody else', async () => {
  release();
  let answers = 0;
  let isOver = false;
  const storm = repeated(200, async () => {
    while (!isOver) {
      await ask('/metrics');
      answers += 1;
    }
    return 0;
  });
  const quiet: number[] = [];
  const begun = performance.now();
  while (performance.now() - begun < 3000) {
    const sent = performance.now();
    expect(await ask('/readyz', 'GET', '127.0.0.2')).toBe(200);
    quiet.push(performance.now() - sent);
    await new Promise((resolve) => setTimeout(resolve, 30));
  }
  isOver = true;
  await storm;
  const seconds = Math.ceil((performance.now() - begun) / 1000) + 1;
  // Fifty at once in each second; each of the others waits two for its refusal.
  expect(answers).toBeLessThanOrEqual(seconds * (50 + 100) + 200);
  expect(scraped).toBeLessThanOrEqual(seconds * 2);
  expect(quiet.sort((one, other) => one - other)[Math.floor(quiet.length / 2)]).toBeLessThan(100);
});

it('a client that opens connections and says nothing keeps nobody else out', async () => {
  release();
  const idle = Array.from({ length: 700 }, () => connect({ host: '127.0.0.1', port: server.port }));
  for (const socket of idle) socket.on('error', () => undefined).resume();
  const closed = new Promise<void>((resolve) => {
    let count = 0;
    for (const socket of idle)
      socket.on('close', () => {
        count += 1;
        if (count === 700 - 512) resolve();
      });
  });
  await closed;
  expect(await ask('/livez', 'GET', '127.0.0.2')).toBe(200);
  expect(idle.filter((socket) => !socket.destroyed)).toHaveLength(511);
  // They are closed when they have said nothing for some seconds.
  await expect
    .poll(() => idle.filter((socket) => !socket.destroyed).length, { timeout: 20_000, interval: 200 })
    .toBe(0);
});

it('a client that asks too often gets a 429, and is served again in the next second', async () => {
  release();
  const statuses = await repeated(300, () => ask('/livez'));
  expect(statuses.filter((status) => status === 429).length).toBeGreaterThanOrEqual(5);
  expect(statuses.filter((status) => status === 200).length).toBeGreaterThanOrEqual(50);
  await expect.poll(() => ask('/livez'), { timeout: 5000, interval: 200 }).toBe(200);
});

it.each([
  ['POST', 405],
  ['PUT', 405],
  ['DELETE', 405],
  ['TRACE', 405],
  ['OPTIONS', 204],
])('%s is not a way to read: %i', async (method, status) => {
  expect(await ask('/metrics', method)).toBe(status);
  expect(scraped).toBe(0);
});

it('HEAD is answered like GET', async () => {
  release();
  expect(await Promise.all(['/livez', '/readyz', '/metrics', '/'].map((path) => ask(path, 'HEAD')))).toEqual([
    200, 200, 200, 404,
  ]);
});

it('listens on its own address only', async () => {
  const elsewhere = await new Promise((resolve) => {
    request({ host: '127.0.0.3', port: server.port, path: '/livez' }, resolve)
      .on('error', (error) => resolve(error.message))
      .end();
  });
  expect(elsewhere).toContain('ECONNREFUSED');
});
