import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { block, endStatements, workersGone } from '../support/blocker.ts';
import { until } from '../support/broker.ts';
import { expectFaultless, openSite, type Site } from '../support/faults.ts';
import type { Message } from '../support/switch.ts';

const SEED = 4801;
// Every wait has its own limit.
vi.setConfig({ testTimeout: 180_000 });
const CALLS = 5;
const MARKING = 7;

let site: Site;
let messages: Message[];

/** Two workers die while they hold the same calls, so the broker gives them to no third one. */
beforeEach(async () => {
  const environment = { DELIVERY_LIMIT: '1', STATEMENT_TIMEOUT_MS: '120000', LOCK_TIMEOUT_MS: '60000' };
  site = await openSite('quarantine', SEED, { environment });
  messages = site.calls.make(CALLS).filter(({ correlationId }) => correlationId.endsWith('/0'));
  const blocker = await block(site, 'lock table users in access exclusive mode');
  for (const _ of ['first', 'second']) {
    const killed = await site.worker();
    if (site.calls.messages === 0) await site.calls.send(messages);
    await blocker.workerWaits();
    await until(async () => (await site.depth('cdrs.create')) === 0);
    await site.kill(killed);
    await endStatements(site);
    await workersGone(site);
  }
  await blocker.end();
  await until(async () => (await site.depth('cdrs.dead')) === messages.length);
});
afterEach(() => site?.close());

const deadLetters = () => site.rows('select uniqueid, status from dead_letters order by id');
const poisonOf = (found: { uniqueid?: string | null }[]) => found.map(({ uniqueid }) => `poison ${uniqueid}`);
const repliesTo = ({ correlationId }: Message) => site.calls.heard(correlationId).map(({ code }) => code);

it('quarantined calls are stored in the end, even if another worker dies while marking them', async () => {
  await site.rows(`
    create function wait_at_the_mark() returns trigger language plpgsql as $$
    begin perform pg_advisory_xact_lock(${MARKING}); return new; end $$`);
  await site.rows(`
    create trigger mark before update of tried_at on dead_letters
    for each row execute function wait_at_the_mark()`);
  const blocker = await block(site, `select pg_advisory_xact_lock(${MARKING})`);
  const killed = await site.worker();
  await blocker.workerWaits();
  expect((await deadLetters()).map(({ status }) => status)).toEqual(['dead']);
  await site.kill(killed);
  await endStatements(site);
  await workersGone(site);
  await blocker.end();

  await site.worker();
  await site.allAnswered();
  expect(messages.map(repliesTo)).toEqual(messages.map(() => ['204']));
  expect(new Set((await deadLetters()).map(({ status }) => status))).toEqual(new Set(['resolved']));
  const found = await deadLetters();
  expect(new Set(found.map(({ uniqueid }) => uniqueid))).toEqual(
    new Set(messages.map(({ call }) => call.uniqueid)),
  );
  await expectFaultless(site, { deadLetters: poisonOf(found) });
});

it('a call that crashes a worker even by itself becomes a dead letter, and the others of its batch are stored', async () => {
  const blocker = await block(site, 'select from customers for update');
  const killed = await site.worker();
  await blocker.workerWaits();
  await site.kill(killed);
  await blocker.end();
  await workersGone(site);

  await site.worker();
  await site.allAnswered();
  const kept = (await deadLetters())
    .filter(({ status }) => status === 'dead')
    .map(({ uniqueid }) => uniqueid ?? '');
  expect(kept).toHaveLength(1);
  for (const message of messages)
    expect(repliesTo(message)).toEqual([kept.includes(message.call.uniqueid) ? '400' : '204']);
  await expectFaultless(site, { lost: kept, deadLetters: poisonOf(await deadLetters()) });
});
