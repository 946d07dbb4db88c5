import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Confinement } from '../../src/domain/confinement.ts';
import type { CallSubmission } from '../../src/domain/submission.ts';
import { classifyFailure, sqlStateOf } from '../../src/store/failures.ts';
import { persist } from '../../src/store/persist/persist.ts';
import { createReadAhead } from '../../src/store/persist/read-ahead.ts';
import type { Sql } from '../../src/store/sql.ts';
import { BILLING } from '../support/billing.ts';
import { keysOfFeeds, ofFeed } from '../support/of-feed.ts';
import { admitted, type BillingDatabase, billingDatabase } from '../support/persisting.ts';

let db: BillingDatabase;

beforeEach(async () => {
  db = await billingDatabase('persist_feeds');
  await db.execute(keysOfFeeds);
  await db.execute(`insert into customer_keys (kind, key, customer, valid_from, valid_to) values
    ('account', 'moved', 1, null, to_timestamp(${NOON})), ('account', 'moved', 2, to_timestamp(${NOON}), null)`);
});
afterEach(() => db.drop());

const NOON = 1_700_000_000;

const persisted = (submissions: readonly CallSubmission[], through: Sql = db.sql) =>
  persist(through, submissions, BILLING);
const kindsOf = async (...submissions: CallSubmission[]) =>
  (await persisted(submissions)).map(({ kind }) => kind);
const answerTo = async (submission: CallSubmission) => (await persisted([submission]))[0];

describe('a call of a feed', () => {
  it('is charged to the customer whose key it has, on that customer’s currency and open invoice', async () => {
    const outcomes = await persisted([ofFeed({ cost: '1' }, { called: 'two', peerName: 'carrier' })]);
    expect(outcomes).toMatchObject([{ kind: 'accepted' }]);
    expect(
      await db.rows(`select scustomer::text, dcustomer::text, peer::text, invoice::text, invoice_cost::text, source,
        customer_currency from cdrs`),
    ).toEqual([
      {
        scustomer: '1',
        dcustomer: '2',
        peer: '1',
        invoice: '10',
        invoice_cost: '0.920000',
        source: 'fs-1',
        customer_currency: 'USD',
      },
    ]);
  });

  it('takes two statements in a batch with any number of others, of feeds or not', async () => {
    let statements = 0;
    const counting: Sql = (statement, values) => {
      statements += 1;
      return db.sql(statement, values);
    };
    const calls = Array.from({ length: 60 }, (_, index) =>
      ofFeed(
        { uniqueid: `u-${index}`, start: NOON + index },
        { account: index % 3 === 0 ? 'nobody' : 'two' },
      ),
    );
    const plain = [admitted({ uniqueid: 'plain' })];
    const outcomes = await persist(counting, [...calls, ...plain], BILLING);
    expect(statements).toBe(2);
    expect(outcomes.filter(({ kind }) => kind === 'accepted')).toHaveLength(41);
    expect(await db.rows(`select uniqueid from cdrs where source is null`)).toEqual([{ uniqueid: 'plain' }]);
  });

  it('belongs to whoever has the key at its start: from valid_from on, and before valid_to', async () => {
    const at = (start: number) => ofFeed({ uniqueid: `at-${start}`, start }, { account: 'moved' });
    await persisted([at(NOON - 1), at(NOON), at(NOON + 1)]);
    expect(await db.rows('select scustomer::text from cdrs order by start')).toEqual([
      { scustomer: '1' },
      { scustomer: '2' },
      { scustomer: '2' },
    ]);
  });

  it('is told from one of another kind with the same key', async () => {
    await persisted([ofFeed({}, { kind: 'trunk' })]);
    expect(await db.rows('select scustomer::text from cdrs')).toEqual([{ scustomer: '2' }]);
  });
});

describe('a call of a feed that cannot be looked up', () => {
  const START = { start: NOON };

  it('is refused, naming kind and key once, with everything else that does not exist', async () => {
    const call = ofFeed({ ...START, taxes: '7', invoice: 10 }, { account: '4711', peerName: 'nobody' });
    expect(await answerTo(call)).toEqual({
      kind: 'rejected',
      errors: [
        { key: 'scustomer', message: 'no customer has the account "4711" at 2023-11-14T22:13:20Z' },
        { key: 'peer', message: 'no peer is called "nobody"' },
        { key: 'taxes', message: 'tax "7" does not exist' },
      ],
    });
    expect(await db.rows(`select reason from dead_letters`)).toEqual([{ reason: 'rejected' }]);
  });

  it('is refused where two rows are valid at once, even of one customer, and where two peers share a name', async () => {
    await db.execute(`insert into customer_keys (kind, key, customer, valid_from) values
      ('account', 'one', 1, to_timestamp(${NOON}))`);
    await db.execute(`insert into peers (id, name) values (2, 'carrier')`);
    expect(await answerTo(ofFeed(START, { peerName: 'carrier' }))).toEqual({
      kind: 'rejected',
      errors: [
        {
          key: 'scustomer',
          message: 'several rows of customer_keys have the account "one" at 2023-11-14T22:13:20Z',
        },
        { key: 'peer', message: 'several peers are called "carrier"' },
      ],
    });
    expect(await kindsOf(ofFeed({ start: NOON - 1 }))).toEqual(['accepted']);
  });

  it('names the called customer where its key is another', async () => {
    expect(await answerTo(ofFeed({}, { called: 'nobody' }))).toMatchObject({
      errors: [{ key: 'dcustomer' }],
    });
  });

  it('is refused for a customer that its key names and that does not exist', async () => {
    await db.execute(`insert into customer_keys (kind, key, customer) values ('account', 'gone', 99)`);
    expect(await answerTo(ofFeed({}, { account: 'gone' }))).toMatchObject({ errors: [{ key: 'scustomer' }] });
  });

  it.each(['a\0b', '\ud800', 'x'.repeat(5000), `' or true --`, '{"a","b\\'])(
    'takes none of its neighbours along, whatever its key is (%#)',
    async (strange) => {
      const calls = [ofFeed({}, { account: strange, peerName: strange }), ofFeed({ uniqueid: 'u-2' })];
      expect(await kindsOf(...calls)).toEqual(['rejected', 'accepted']);
    },
  );

  it('belongs to nobody whose key is its own, cut', async () => {
    await db.execute(
      `insert into customer_keys (kind, key, customer) values ('account', repeat('x', 4096), 1)`,
    );
    expect(await kindsOf(ofFeed({}, { account: 'x'.repeat(4097) }))).toEqual(['rejected']);
    expect(await kindsOf(ofFeed({}, { account: 'x'.repeat(4096) }))).toEqual(['accepted']);
  });
});

describe('a confined feed', () => {
  const only = (customer: number): Confinement => ({ machines: null, customers: new Set([customer]) });
  const machine = (name: string): Confinement => ({ machines: new Set([name]), customers: null });

  it('may not submit calls whose key belongs to a customer outside', async () => {
    expect(await kindsOf(ofFeed({}, { confinement: only(2) }))).toEqual(['forbidden']);
    expect(await kindsOf(ofFeed({}, { confinement: only(1) }))).toEqual(['accepted']);
  });

  it('is told of a key that nobody has, unless the machine is outside already', async () => {
    const account = 'nobody';
    expect(await kindsOf(ofFeed({}, { account, confinement: only(2) }))).toEqual(['rejected']);
    expect(await kindsOf(ofFeed({}, { account, confinement: machine('m-1') }))).toEqual(['rejected']);
    expect(await kindsOf(ofFeed({}, { account, confinement: machine('m-2') }))).toEqual(['forbidden']);
  });
});

describe('the same call of a feed again', () => {
  it.each([
    ['after its key changed hands', `update customer_keys set customer = 2 where key = 'one'`],
    ['after its key vanished', 'delete from customer_keys'],
    [
      'after its key was given to a second one',
      `insert into customer_keys (kind, key, customer) values ('account', 'one', 2)`,
    ],
    ['after its peer got another name', `update peers set name = 'other'`],
    ['after its customer left', 'delete from customers where id = 1'],
  ])('is a duplicate %s', async (_, change) => {
    const call = () => ofFeed({ cost: '1' }, { peerName: 'carrier' });
    expect(await kindsOf(call(), call())).toEqual(['accepted', 'duplicate']);
    await db.execute(change);
    expect(await kindsOf(call())).toEqual(['duplicate']);
    expect(await db.rows(`select count(*)::text from cdrs`)).toEqual([{ count: '1' }]);
  });

  it('is a duplicate where another key of the same customer is all that differs', async () => {
    await db.execute(`insert into customer_keys (kind, key, customer) values ('number', '3120', 1)`);
    await persisted([ofFeed({})]);
    expect(await kindsOf(ofFeed({}, { kind: 'number', account: '3120' }))).toEqual(['duplicate']);
  });

  it('is refused for the key where another that nobody has is all that may differ', async () => {
    await persisted([ofFeed({})]);
    expect(await answerTo(ofFeed({}, { account: 'nobody' }))).toMatchObject({
      kind: 'rejected',
      errors: [{ key: 'scustomer' }],
    });
  });

  it('is a conflict where more differs than a key that nobody has, and names only what is known to differ', async () => {
    await persisted([ofFeed({})]);
    expect(await answerTo(ofFeed({ note: 'n' }, { account: 'nobody' }))).toEqual({
      kind: 'conflict',
      differences: [{ parameter: 'note', stored: '', received: 'n' }],
    });
  });

  it('by another feed is a conflict that shows both, in one batch and after it', async () => {
    const conflict = {
      kind: 'conflict',
      differences: [{ parameter: 'source', stored: 'fs-1', received: 'sbc-1' }],
    };
    const outcomes = await persisted([ofFeed({}), ofFeed({}, { source: 'sbc-1' })]);
    expect(outcomes).toMatchObject([{ kind: 'accepted' }, conflict]);
    expect(await answerTo(ofFeed({}, { source: 'sbc-1' }))).toEqual(conflict);
    expect(await db.prisma.deadLetter.findMany()).toMatchObject([
      { differences: conflict.differences, deaths: 2 },
    ]);
  });

  it('after it came as a message that speaks the contract is a duplicate', async () => {
    await db.persist([{ cost: '1' }]);
    expect(await kindsOf(ofFeed({ cost: '1' }), ofFeed({ cost: '2' }))).toEqual(['duplicate', 'conflict']);
  });

  it('as a message that speaks the contract is a duplicate', async () => {
    await persisted([ofFeed({})]);
    expect(await db.persist([{}, { scustomer: 2 }])).toMatchObject([
      { kind: 'duplicate' },
      { kind: 'conflict' },
    ]);
  });

  it('after it was refused for its key is stored once the key is there, with its own customer', async () => {
    const call = ofFeed({ cost: '1' }, { account: 'later' });
    expect(await kindsOf(call)).toEqual(['rejected']);
    await db.execute(`insert into customer_keys (kind, key, customer) values ('account', 'later', 2)`);
    expect(await kindsOf(call)).toEqual(['accepted']);
    expect(call.call.cdr).toMatchObject({ scustomer: 2, dcustomer: 2 });
  });
});

describe('what changes between reading and writing', () => {
  /** Runs `change` after the batch was read and before it is written. */
  function between(change: string): Sql {
    let statements = 0;
    return async (statement, values) => {
      statements += 1;
      if (statements === 2) await db.execute(change);
      return db.sql(statement, values);
    };
  }

  it.each([
    ['a key that changed hands', `update customer_keys set customer = 2 where key = 'one'`],
    ['a key that is gone', `delete from customer_keys where key = 'one'`],
    [
      'a key that ended before the call',
      `update customer_keys set valid_to = to_timestamp(${NOON}) where key = 'one'`,
    ],
    [
      'a key that a second one got',
      `insert into customer_keys (kind, key, customer) values ('account', 'one', 2)`,
    ],
    ['a key that the called customer lost', `delete from customer_keys where key = 'two'`],
    ['a peer with another name', `update peers set name = 'other' where id = 1`],
    ['a second peer of the same name', `insert into peers (id, name) values (9, 'carrier')`],
  ])('is seen by the statement that writes: %s', async (_, change) => {
    const call = ofFeed({ cost: '1' }, { called: 'two', peerName: 'carrier' });
    const failure = await persisted([call], between(change)).catch((error: unknown) => error);
    expect(sqlStateOf(failure)).toBe('CDR01');
    expect(classifyFailure(failure)).toBe('collision');
    expect(await db.rows('select uniqueid from cdrs')).toEqual([]);
  });

  it('is read again: the call goes to whoever has the key then', async () => {
    const call = ofFeed({ cost: '1' });
    const change = `update customer_keys set customer = 2 where key = 'one'`;
    await persisted([call], between(change)).catch(() => undefined);
    expect(await kindsOf(call)).toEqual(['accepted']);
    expect(await db.rows('select id::text from customers where calls > 0')).toEqual([{ id: '2' }]);
  });
});

it('a call of a feed that is looked up while the batch in front is written is decided on that', async () => {
  const prepare = createReadAhead(db.sql, BILLING, (submissions, lookup) =>
    persist(db.sql, submissions, BILLING, lookup),
  );
  const first = prepare([ofFeed({ cost: '1' })]);
  const second = prepare([ofFeed({ cost: '1' }), ofFeed({ uniqueid: 'u-2', cost: '1' }, { account: 'two' })]);
  expect(await first()).toMatchObject([{ kind: 'accepted' }]);
  expect(await second()).toMatchObject([{ kind: 'duplicate' }, { kind: 'accepted' }]);
  expect(await db.rows('select id::text from customers where calls = 1 order by id')).toEqual([
    { id: '1' },
    { id: '2' },
  ]);
});
