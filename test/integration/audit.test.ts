import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { audit, type Standing } from '../../src/store/audit.ts';
import { persist } from '../../src/store/persist/persist.ts';
import { BILLING } from '../support/billing.ts';
import { keysOfFeeds, type OfFeed, ofFeed } from '../support/of-feed.ts';
import { type BillingDatabase, billingDatabase, type Parameters } from '../support/persisting.ts';

let db: BillingDatabase;
beforeAll(async () => {
  db = await billingDatabase('audit');
  await db.execute(keysOfFeeds);
});
afterAll(async () => await db?.drop());

async function store(parameters: Parameters, more?: OfFeed): Promise<void> {
  await persist(db.sql, [ofFeed(parameters, more)], BILLING);
}

/** What has become of a call of the feed fs-1. */
async function standingOf(parameters: Parameters, more?: OfFeed): Promise<Standing | undefined> {
  const { call } = ofFeed(parameters, more);
  const [standing] = await audit(db.sql, [{ uniqueid: call.cdr.uniqueid, call }], 'fs-1', 'USD');
  return standing;
}

/** What has become of a record that cannot be made a call. */
async function unmapped(uniqueid: string | null): Promise<Standing | undefined> {
  const [standing] = await audit(db.sql, [{ uniqueid, call: null }], 'fs-1', 'USD');
  return standing;
}

async function deadLetter(
  uniqueid: string,
  more: { status?: string; source?: string | null; edits?: string } = {},
) {
  const { status = 'dead', source = 'fs-1', edits = '{}' } = more;
  await db.execute(`insert into dead_letters (reason, uniqueid, source, status, edits, body, digest)
    values ('rejected', '${uniqueid}', ${source === null ? 'null' : `'${source}'`}, '${status}', '${edits}', '', sha256('${Math.random()}'))`);
}

describe('a record', () => {
  it('is stored where a call of its uniqueid says the same', async () => {
    await store({ uniqueid: 'a-1', cost: '1.50' });
    expect(await standingOf({ uniqueid: 'a-1', cost: '1.5' })).toEqual({ state: 'stored' });
  });

  it('is stored where its key has changed hands since, and where its call came in the form of the contract', async () => {
    await store({ uniqueid: 'a-2' }, { account: 'two' });
    await db.execute(`update customer_keys set customer = 3 where key = 'two'`);
    expect(await standingOf({ uniqueid: 'a-2' }, { account: 'two' })).toEqual({ state: 'stored' });
    await db.persist([{ uniqueid: 'a-3' }]);
    expect(await standingOf({ uniqueid: 'a-3' })).toEqual({ state: 'stored' });
  });

  it('is different where a call of its uniqueid says something else, and tells what', async () => {
    await store({ uniqueid: 'b-1', cost: '1' });
    expect(await standingOf({ uniqueid: 'b-1', cost: '2' })).toEqual({
      state: 'different',
      differences: [{ parameter: 'cost', stored: '1', received: '2' }],
    });
  });

  it('is stored where its call was pruned, and different without details where that one was another', async () => {
    await store({ uniqueid: 'b-2', cost: '1' });
    await db.execute(`with gone as (delete from cdrs where uniqueid = 'b-2' returning uniqueid, fingerprint)
      insert into past_calls select * from gone`);
    expect(await standingOf({ uniqueid: 'b-2', cost: '1' })).toEqual({ state: 'stored' });
    expect(await standingOf({ uniqueid: 'b-2', cost: '2' })).toEqual({ state: 'different', differences: [] });
  });

  it('is corrected where an operator stored it with other content', async () => {
    await store({ uniqueid: 'b-3', cost: '1' });
    await deadLetter('b-3', { status: 'resolved', edits: '{"cost": "1"}' });
    expect(await standingOf({ uniqueid: 'b-3', cost: '2' })).toEqual({ state: 'corrected' });
    expect(await unmapped('b-3')).toEqual({ state: 'corrected' });
  });

  it('is dead or discarded where a dead letter of its feed has it', async () => {
    await deadLetter('c-1', { status: 'replaying' });
    await deadLetter('c-2', { status: 'discarded' });
    await deadLetter('c-3', { source: 'other' });
    await deadLetter('c-4', { source: null });
    expect(await standingOf({ uniqueid: 'c-1' })).toEqual({ state: 'dead' });
    expect(await standingOf({ uniqueid: 'c-2' })).toEqual({ state: 'discarded' });
    expect(await standingOf({ uniqueid: 'c-3' })).toEqual({ state: 'missing' });
    expect(await standingOf({ uniqueid: 'c-4' })).toEqual({ state: 'dead' });
    expect(await unmapped('c-1')).toEqual({ state: 'dead' });
    expect(await unmapped('c-2')).toEqual({ state: 'discarded' });
  });

  it('is missing, or cannot be mapped, where nothing has it', async () => {
    expect(await standingOf({ uniqueid: 'd-1' })).toEqual({ state: 'missing' });
    expect(await unmapped('d-2')).toEqual({ state: 'unmapped' });
    expect(await unmapped(null)).toEqual({ state: 'unmapped' });
  });

  it('is told apart from others of its batch', async () => {
    await store({ uniqueid: 'e-1' });
    const calls = ['e-3', 'e-1', 'e-2', 'e-1'].map((uniqueid) => ofFeed({ uniqueid }).call);
    const records = calls.map((call) => ({ uniqueid: call.cdr.uniqueid, call }));
    const standings = await audit(db.sql, [...records, { uniqueid: null, call: null }], 'fs-1', 'USD');
    expect(standings.map(({ state }) => state)).toEqual([
      'missing',
      'stored',
      'missing',
      'stored',
      'unmapped',
    ]);
  });
});
