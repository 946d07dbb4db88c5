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
/** A limit and no speed. What was set aside comes one at a time, behind what was before it. */
const LIMIT_MS = 180_000;
const PREFETCH = 400;

let site: Site;
let raging: Storm | undefined;

beforeEach(async () => {
  site = await openSite('storms', SEED, { environment: { PREFETCH: String(PREFETCH) } });
  const topology = await startProcess(['topology'], { AMQP_URL: site.amqpUrl });
  expect(await topology.ended).toBe(0);
});
afterEach(async () => {
  await raging?.stop();
  raging = undefined;
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

async function rage(bodyOf: (index: number) => string, atLeast: number): Promise<void> {
  raging = await storm(site.amqpUrl, PER_SECOND, bodyOf);
  const { sent } = raging;
  await until(() => (raging?.sent ?? 0) >= sent + atLeast);
}

/** One call after the other, twenty a second, as a switch at work sends them. */
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

/** Every call of the switch was answered 204 and nothing else, while the storm went on. */
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

it('of invented names leaves a switch at work alone, one whose password is known already', async () => {
  await site.worker();
  const first = site.calls.make(1);
  await site.calls.send(first);
  await site.allAnswered();
  await rage(invented, PER_SECOND);
  await expectAllStored([...first, ...(await callsAtWork())]);
});

it('of invented names leaves a switch alone whose password a fresh worker has never seen', async () => {
  await rage(invented, 2 * PER_SECOND);
  const worker = await site.worker();
  await expectAllStored(await callsAtWork());
  expect(await metric(worker, 'cdr_ingest_set_aside_total')).toBe(0);
});

it('of invented names has every one of its messages answered', async () => {
  const worker = await site.worker();
  await rage(invented, 2 * PER_SECOND);
  const sent = raging?.sent ?? 0;
  await until(async () => (await metric(worker, 'cdr_ingest_results_total{code="401"}')) >= sent, LIMIT_MS);
  expect(await metric(worker, 'cdr_ingest_in_flight_messages')).toBeLessThan(PREFETCH / 2);
});

it('of guesses at the name of a switch at work does not lock it out', async () => {
  await site.worker();
  const first = site.calls.make(1);
  await site.calls.send(first);
  await site.allAnswered();
  await rage(guessing('switch'), PER_SECOND);
  await expectAllStored([...first, ...(await callsAtWork())]);
});

it('of guesses at the name of a switch does not lock it out of a fresh worker', async () => {
  await rage(guessing('switch'), PER_SECOND);
  await site.worker();
  await expectAllStored(await callsAtWork());
});

it('of guesses at the name of a user who is silent leaves all others alone', async () => {
  await addUser('silent');
  await rage(guessing('silent'), 2 * PER_SECOND);
  const worker = await site.worker();
  await expectAllStored(await callsAtWork());
  expect(await metric(worker, 'cdr_ingest_set_aside_total')).toBeGreaterThan(0);
  expect(await metric(worker, 'cdr_ingest_in_flight_messages')).toBeLessThan(PREFETCH / 2);
});
