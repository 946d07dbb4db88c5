import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { readActivity } from '../../src/store/activity.ts';
import {
  discardable,
  discardDeadLetters,
  reopenable,
  reopenDeadLetters,
} from '../../src/store/dead-letters/close.ts';
import { readConsequences } from '../../src/store/dead-letters/consequences.ts';
import { readEvents } from '../../src/store/dead-letters/history.ts';
import { readPage } from '../../src/store/dead-letters/list.ts';
import { readProblems } from '../../src/store/dead-letters/problems.ts';
import { type BillingDatabase, billingDatabase, type Parameters } from '../support/persisting.ts';

let db: BillingDatabase;

beforeAll(async () => {
  db = await billingDatabase('dead-letter-sets');
});

afterAll(async () => {
  await db?.drop();
});

beforeEach(async () => {
  await db.execute('truncate dead_letters, dead_letter_events, activity');
});

/** Calls that are refused: of customers that do not exist, or with a peer that does not. */
const refused = (uniqueid: string, parameters: Parameters = {}): Parameters => ({
  uniqueid,
  scustomer: 900,
  cost: '2.5',
  ...parameters,
});

const found = async (search: string) =>
  (await readPage(db.sql, { search }, 50)).deadLetters.map(({ uniqueid }) => uniqueid).sort();

describe('a search', () => {
  it('finds a whole uniqueid, callid or number, whatever its letters and the blanks around it', async () => {
    await db.persist([
      refused('Call-A', { callid: 'SIP-1@host', snumber: '+49301', cnumber: '+49302', dnumber: '0044303' }),
      refused('Call-B', { callid: 'SIP-2@host', snumber: '+49301' }),
    ]);
    expect(await found(' call-a ')).toEqual(['Call-A']);
    expect(await found('sip-1@HOST')).toEqual(['Call-A']);
    expect(await found('+49301')).toEqual(['Call-A', 'Call-B']);
    expect(await found('+49302')).toEqual(['Call-A']);
    expect(await found('0044303')).toEqual(['Call-A']);
    expect(await found('49301')).toEqual([]);
  });
});

describe('discarding', () => {
  it('does exactly what was shown, records it, and can be undone', async () => {
    await db.persist([refused('a'), refused('b', { scustomer: 1, peer: 9 })]);
    const [problem] = await readProblems(db.sql, { reasons: ['rejected'], answerKey: 'peer' }, 'USD');
    expect(problem).toMatchObject({
      reason: 'rejected',
      key: 'peer',
      count: 1,
      at_stake: [{ currency: 'USD', cost: '2.5' }],
    });
    const shown = await readConsequences(db.sql, discardable({}), 'USD');
    expect(shown).toMatchObject({ count: 2, unverified: 0 });
    await db.persist([refused('c')]);
    const closing = { by: 'boss', why: 'tests', program: 'console', expected: shown.fingerprint } as const;
    expect(await discardDeadLetters(db.sql, {}, closing)).toEqual({ kind: 'changed' });
    const again = await readConsequences(db.sql, discardable({}), 'USD');
    expect(await discardDeadLetters(db.sql, {}, { ...closing, expected: again.fingerprint })).toEqual({
      kind: 'done',
      count: 3,
    });
    const undo = await readConsequences(db.sql, reopenable({}), 'USD');
    expect(await reopenDeadLetters(db.sql, {}, { ...closing, expected: undo.fingerprint })).toEqual({
      kind: 'done',
      count: 3,
    });
    const { deadLetters } = await readPage(db.sql, { uniqueid: 'a' }, 5);
    expect(deadLetters).toMatchObject([
      { status: 'dead', closed_at: null, customer_name: null, answer_key: 'scustomer' },
    ]);
    expect((await readEvents(db.sql, `${deadLetters[0]?.id}`)).map(({ event }) => event)).toEqual([
      'discarded',
      'reopened',
    ]);
    expect(await readActivity(db.sql, { limit: 5 })).toMatchObject([
      { who: 'boss', act: 'reopened', program: 'console', detail: { count: 3, why: 'tests' } },
      { who: 'boss', act: 'discarded', program: 'console', detail: { count: 3, why: 'tests' } },
    ]);
  });
});
