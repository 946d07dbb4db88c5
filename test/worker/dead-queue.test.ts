import { expect, it } from 'vitest';
import type { Delivery } from '../../src/broker/delivery.ts';
import type { Skipped, Submission } from '../../src/domain/submission.ts';
import type { Admitted } from '../../src/worker/admission.ts';
import { createDeadQueueAdmission, type DeadQueueOptions } from '../../src/worker/dead-queue.ts';
import { Feeds } from '../../src/worker/feeds.ts';
import { refused } from '../simulation/ideal-world.ts';
import { feedIn } from '../sources/feeds.ts';
import { BILLING } from '../support/billing.ts';
import { NO_PROPERTIES } from '../support/requests.ts';

const FEED = feedIn(`fs:
  exchange: cdrs.from.fs
  as: switch-fs
  machines: [m-1]
  format: json
  call: { uniqueid: id, machine: host, start: { from: begin, time: s }, scustomer: account }
`);

/** A message of the queue of dead letters, as the broker tells of it. */
interface Dead {
  /** Where the broker says that it was published to: the exchange of dead letters where it was dead-lettered. */
  exchange: string;
  /** Why and from which exchange its record of deaths says that it came. */
  reason?: string;
  from?: string;
  redeliveries?: number;
  replayHeader?: string;
  correctionHeader?: string;
}

function deliveryOf({ exchange, reason, from, redeliveries = 0, ...headers }: Dead): Delivery {
  const body = Buffer.from('{"id":"u-1","host":"m-1"}');
  return {
    body,
    bytes: body.length,
    properties: { ...NO_PROPERTIES, routingKey: 'any.key' },
    unreadable: undefined,
    replayHeader: headers.replayHeader,
    correctionHeader: headers.correctionHeader,
    exchange,
    redelivered: false,
    deaths: { redeliveries, reason: reason ?? null, exchange: from ?? null },
    sentAt: null,
    receivedAt: 0,
    receivedTick: 0,
    epoch: 0,
    tag: 1,
  };
}

/** Who admits a message on that version, and what it comes to where that is known at once. */
async function admitted(dead: Dead, keepsOwnDeaths: boolean) {
  const by: string[] = [];
  const note = (name: string) => (): Admitted => {
    by.push(name);
    return refused;
  };
  const nothing = () => Promise.reject(new Error('no database here'));
  const options: DeadQueueOptions = {
    database: { sql: nothing, transaction: nothing },
    billing: BILLING,
    keeping: { maxBodyBytes: 1000, keptBodyBytes: 1000 },
    deliveryLimit: 20,
    reachable: () => Promise.resolve(true),
    admit: note('contract'),
    admitVouched: note('replay'),
    admitRecord: note('feed'),
    feeds: new Feeds([FEED]),
    deadExchange: 'cdrs.dead',
    keepsOwnDeaths: () => keepsOwnDeaths,
    persist: () => Promise.resolve([]),
    isLive: () => true,
    onUnkeepable: () => undefined,
  };
  const submission: Submission | Skipped = await createDeadQueueAdmission(options)(deliveryOf(dead));
  if (by.length > 0) return { by };
  if (submission.kind !== 'decided' || submission.outcome.kind !== 'failed') throw new Error('not parked');
  const { source, verified, uniqueid } = submission.deadLetter() ?? {};
  return { reason: submission.outcome.reason, source, verified, uniqueid };
}

const ofContract = { by: ['contract'] };
const ofFeed = { by: ['feed'] };
const unverified = { reason: 'poison', source: 'fs', verified: false, uniqueid: 'u-1' };
const unroutable = { reason: 'unroutable', source: null, verified: false, uniqueid: null };

/** Null: it is quarantined, for which a database is needed. */
it.each<[string, Dead, object, object | null]>([
  [
    'that died on its way from a feed',
    { exchange: 'cdrs.dead', reason: 'expired', from: 'cdrs.from.fs' },
    unverified,
    ofFeed,
  ],
  [
    'that was set aside',
    { exchange: 'cdrs.dead', reason: 'rejected', from: 'cdrs.from.fs' },
    unverified,
    ofFeed,
  ],
  [
    'of a feed that may have ended workers',
    { exchange: 'cdrs.dead', reason: 'delivery_limit', from: 'cdrs.from.fs', redeliveries: 3 },
    { ...unverified, uniqueid: null },
    null,
  ],
  [
    'of a feed with the header of a replay',
    { exchange: 'cdrs.dead', reason: 'expired', from: 'cdrs.from.fs', replayHeader: 'x' },
    unverified,
    ofFeed,
  ],
  [
    'that no queue wanted of a feed, whatever it says of deaths',
    { exchange: 'cdrs.from.fs', reason: 'expired', from: 'cdrs' },
    { ...unverified, reason: 'unroutable' },
    { ...unverified, reason: 'unroutable' },
  ],
  [
    'that speaks the contract',
    { exchange: 'cdrs.dead', reason: 'expired', from: 'cdrs' },
    ofContract,
    ofContract,
  ],
  [
    'from an exchange that is no feed',
    { exchange: 'cdrs.dead', reason: 'expired', from: 'cdrs.from.other' },
    ofContract,
    ofContract,
  ],
  ['without an exchange in its record', { exchange: 'cdrs.dead', reason: 'expired' }, ofContract, ofContract],
  [
    'that never died and claims to have, from a feed',
    { exchange: 'cdrs', reason: 'expired', from: 'cdrs.from.fs' },
    ofContract,
    ofContract,
  ],
  [
    'published to the queue itself that claims to have died, from a feed',
    { exchange: '', reason: 'expired', from: 'cdrs.from.fs' },
    ofContract,
    ofContract,
  ],
  ['that never died and names a feed', { exchange: 'cdrs', from: 'cdrs.from.fs' }, unroutable, unroutable],
  [
    'that is a replay',
    { exchange: 'cdrs.dead', reason: 'expired', from: 'cdrs', replayHeader: 'x' },
    { by: ['replay'] },
    { by: ['replay'] },
  ],
])('a dead-lettered message %s', async (_, dead, onVersion3, onVersion4) => {
  expect(await admitted(dead, false)).toEqual(onVersion3);
  if (onVersion4 !== null) expect(await admitted(dead, true)).toEqual(onVersion4);
});
