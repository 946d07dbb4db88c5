import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { hashPassword } from '../../src/auth/password.ts';
import { until } from '../support/broker.ts';
import { metric, openSite, type Site } from '../support/faults.ts';
import { type Storm, storm } from '../support/storm.ts';
import type { Message } from '../support/switch.ts';
import { startProcess } from '../support/worker.ts';

const SEED = 6101;
// Every wait has its own limit.
vi.setConfig({ testTimeout: 300_000 });
const PER_SECOND = 300;
const CALLS = 60;
/** A generous limit: calls that were set aside are handled one at a time, after those before them. */
const LIMIT_MS = 180_000;
const PREFETCH = 400;

let site: Site;
let running: Storm | undefined;

beforeEach(async () => {
  site = await openSite('storms', SEED, { environment: { PREFETCH: String(PREFETCH) } });
  const topology = await startProcess(['topology'], { AMQP_URL: site.amqpUrl });
  expect(await topology.ended).toBe(0);
});
afterEach(async () => {
  await running?.stop();
  running = undefined;
  await site?.close();
});

const attempt = (username: string, password: string, index: number) =>
  JSON.stringify({
    auth_username: username,
    auth_password: password,
    uniqueid: `storm.${index}`,
    machine: 'm',
    start: 1_700_000_000,
    scustomer: 1,
  });
const invented = (index: number) => attempt(`nobody ${index}`, 'guess', index);
const guessing = (username: string) => (index: number) => attempt(username, `guess ${index}`, index);

async function startStorm(bodyOf: (index: number) => string, atLeast: number): Promise<void> {
  running = await storm(site.amqpUrl, PER_SECOND, bodyOf);
  const { sent } = running;
  await until(() => (running?.sent ?? 0) >= sent + atLeast);
}

/** Sends calls one by one, twenty a second, like an active switch. */
async function callsAtWork(): Promise<Message[]> {
  const messages: Message[] = [];
  const began = performance.now();
  while (messages.length < CALLS) {
    const due = Math.floor((performance.now() - began) / 50);
    if (messages.length < due) {
      const more = site.calls.make(1);
      await site.calls.send(more);
      messages.push(...more);
    } else await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return messages;
}

/** Every call of the switch is answered 204 and nothing else while the storm goes on. */
async function expectAllStored(messages: readonly Message[]): Promise<void> {
  await site.allAnswered(LIMIT_MS);
  expect(
    messages.flatMap(({ correlationId }) => site.calls.heard(correlationId).map(({ code }) => code)),
  ).toEqual(messages.map(() => '204'));
  const [row] = await site.rows(`select count(*)::text from cdrs where uniqueid like '${SEED}.%'`);
  expect(Number(row?.count)).toBe(site.calls.calls.size);
  const refused = await site.rows(
    `select uniqueid from dead_letters where reason = 'unauthenticated' and uniqueid like '${SEED}.%'`,
  );
  expect(refused).toEqual([]);
}

async function addUser(username: string): Promise<void> {
  const hash = await hashPassword('never used');
  await site.rows(
    `insert into users (username, password_hash, role) values ('${username}', '${hash}', 'system') returning username`,
  );
}

it('a storm of invented names does not affect a switch whose password is cached', async () => {
  await site.worker();
  const first = site.calls.make(1);
  await site.calls.send(first);
  await site.allAnswered();
  await startStorm(invented, PER_SECOND);
  await expectAllStored([...first, ...(await callsAtWork())]);
});

it('a storm of invented names does not affect a switch that a fresh worker has never seen', async () => {
  await startStorm(invented, 2 * PER_SECOND);
  const worker = await site.worker();
  await expectAllStored(await callsAtWork());
  expect(await metric(worker, 'cdr_ingest_set_aside_total')).toBe(0);
});

it('a storm of invented names has every message answered', async () => {
  const worker = await site.worker();
  await startStorm(invented, 2 * PER_SECOND);
  const sent = running?.sent ?? 0;
  await until(async () => (await metric(worker, 'cdr_ingest_results_total{code="401"}')) >= sent, LIMIT_MS);
  expect(await metric(worker, 'cdr_ingest_in_flight_messages')).toBeLessThan(PREFETCH / 2);
});

it('a storm of guesses at the name of an active switch does not lock it out', async () => {
  await site.worker();
  const first = site.calls.make(1);
  await site.calls.send(first);
  await site.allAnswered();
  await startStorm(guessing('switch'), PER_SECOND);
  await expectAllStored([...first, ...(await callsAtWork())]);
});

it('a storm of guesses at the name of a switch does not lock it out of a fresh worker', async () => {
  await startStorm(guessing('switch'), PER_SECOND);
  await site.worker();
  await expectAllStored(await callsAtWork());
});

it('a storm of guesses at the name of an idle user does not affect others', async () => {
  await addUser('silent');
  await startStorm(guessing('silent'), 2 * PER_SECOND);
  const worker = await site.worker();
  await expectAllStored(await callsAtWork());
  expect(await metric(worker, 'cdr_ingest_set_aside_total')).toBeGreaterThan(0);
  expect(await metric(worker, 'cdr_ingest_in_flight_messages')).toBeLessThan(PREFETCH / 2);
});
