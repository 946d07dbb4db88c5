import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import * as amqp from 'amqplib';
import { Client } from 'pg';

const ATTEMPT_MS = 5_000;
const BETWEEN_ATTEMPTS_MS = 50;

async function postgresAnswers(url: string): Promise<void> {
  const client = new Client({ connectionString: url, connectionTimeoutMillis: ATTEMPT_MS });
  // An idle client whose server goes away reports it here, and unhandled it would end the process.
  client.on('error', () => {});
  try {
    await client.connect();
    await client.query('select 1');
  } finally {
    await client.end().catch(() => {});
  }
}

async function rabbitAnswers(url: string): Promise<void> {
  const connection = await amqp.connect(url, { timeout: ATTEMPT_MS });
  connection.on('error', () => {});
  await connection.close();
}

async function portAnswers(url: string): Promise<void> {
  const { hostname, port } = new URL(url);
  await new Promise<void>((resolve, reject) => {
    const socket = connect({ host: hostname, port: Number(port), timeout: ATTEMPT_MS });
    socket.once('connect', () => resolve());
    socket.once('timeout', () => reject(new Error('timed out')));
    socket.once('error', reject);
    socket.once('connect', () => socket.destroy());
  });
}

/** One request to RabbitMQ's HTTP API; the credentials stand in the URL. */
export async function managementRequest(
  base: string,
  method: string,
  path: string,
  body?: object,
): Promise<Response> {
  const url = new URL(base);
  const credentials = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
  const response = await fetch(new URL(`/api/${path}`, url.origin), {
    method,
    headers: {
      authorization: `Basic ${Buffer.from(credentials).toString('base64')}`,
      'content-type': 'application/json',
    },
    signal: AbortSignal.timeout(30_000),
    ...(body && { body: JSON.stringify(body) }),
  });
  if (!response.ok) throw new Error(`${method} ${path} at RabbitMQ's HTTP API: ${response.status}`);
  return response;
}

async function attempt(url: string): Promise<void> {
  const scheme = new URL(url).protocol;
  if (scheme.startsWith('postgres')) return await postgresAnswers(url);
  if (scheme.startsWith('amqp')) return await rabbitAnswers(url);
  if (scheme === 'http:') return void (await managementRequest(url, 'GET', 'whoami'));
  return await portAnswers(url);
}

/** Whether a server answers at this URL (postgresql, amqp, http of RabbitMQ's API, tcp). */
export async function answers(url: string): Promise<boolean> {
  return await attempt(url).then(
    () => true,
    () => false,
  );
}

/** Tries until every URL answers. `check` runs before each attempt and may throw to give up early. */
export async function untilAnswering(
  urls: readonly string[],
  timeoutMs: number,
  check: () => void = () => {},
): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  for (const url of urls) {
    for (;;) {
      check();
      const failure = await attempt(url).then(
        () => undefined,
        (error: unknown) => error,
      );
      if (failure === undefined) break;
      if (Date.now() > deadline) {
        const { protocol, host } = new URL(url);
        throw new Error(`no answer from ${protocol}//${host} within ${timeoutMs / 1000} s`, {
          cause: failure,
        });
      }
      await delay(BETWEEN_ATTEMPTS_MS);
    }
  }
}
