import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { readActivity } from '../../src/store/activity.ts';
import {
  discardable,
  discardDeadLetters,
  reopenable,
  reopenDeadLetters,
} from '../../src/store/dead-letters/close.ts';
import { readConsequences } from '../../src/store/dead-letters/consequences.ts';
import { fillDeadLetters } from '../../src/store/dead-letters/fill.ts';
import { readEvents } from '../../src/store/dead-letters/history.ts';
import { readPage } from '../../src/store/dead-letters/list.ts';
import { readProblems } from '../../src/store/dead-letters/problems.ts';
import { oldDeadLetters } from '../../src/store/dead-letters/prune.ts';
import { recordReplays } from '../../src/store/dead-letters/record.ts';
import { closeTried } from '../../src/store/dead-letters/tried.ts';
import { resolveWaiting } from '../../src/store/dead-letters/waiting.ts';
import { removeOld } from '../../src/store/old-rows.ts';
import { persist } from '../../src/store/persist/persist.ts';
import { unprepared } from '../../src/store/sql.ts';
import { BILLING } from '../support/billing.ts';
import { ACCEPTED } from '../support/outcomes.ts';
import {
  admitted,
  type BillingDatabase,
  billingDatabase,
  delivered,
  type Parameters,
} from '../support/persisting.ts';

let db: BillingDatabase;

beforeAll(async () => {
  db = await billingDatabase('dead-letter-sets');
});

afterAll(async () => {
  await db?.drop();
});

beforeEach(async () => {
  await db.execute('truncate dead_letters, dead_letter_events, dead_letter_keys, activity');
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
    expect(await found('4930')).toEqual([]);
  });

  it('finds a number in each way in which people and switches write it', async () => {
    await db.persist([
      refused('plus', { snumber: '+31205550005' }),
      refused('zeros', { cnumber: '0031205550005' }),
      refused('bare', { dnumber: '31205550005' }),
      refused('1765310000.10'),
      refused('national', { snumber: '0205550005' }),
    ]);
    for (const typed of ['+31205550005', '0031205550005', '31205550005', '+31 (20) 555-0005'])
      expect(await found(typed)).toEqual(['bare', 'plus', 'zeros']);
    expect(await found('020 555 0005')).toEqual(['national']);
    expect(await found('1765310000.10')).toEqual(['1765310000.10']);
  });

  it('finds an id, or a part of the name of a customer, in which nothing is a pattern', async () => {
    await db.persist([refused('a', { scustomer: 1, peer: 9 }), refused('b', { scustomer: 3, peer: 9 })]);
    const [{ id = '' } = {}] = await db.rows(`select id::text from dead_letters where uniqueid = 'b'`);
    expect(await found(` ${id} `)).toEqual(['b']);
    expect(await found('THR')).toEqual(['b']);
    for (const pattern of ['t%e', '%', 'o_e', 't', '\\\\']) expect(await found(pattern)).toEqual([]);
  });

  it('finds nothing any more of what is pruned', async () => {
    await db.persist([refused('old')]);
    await discardDeadLetters(db.sql, {}, { by: 'boss', why: 'tests', program: 'command' });
    expect(await removeOld(db.sql, oldDeadLetters, new Date(Date.now() + 60_000))).toBe(1);
    expect(await db.rows('select key from dead_letter_keys')).toEqual([]);
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
    const closed = await discardDeadLetters(db.sql, {}, { ...closing, expected: again.fingerprint });
    expect(closed).toEqual({ kind: 'done', count: 3, at: expect.any(String) });
    await db.persist([refused('d')]);
    await discardDeadLetters(db.sql, {}, { ...closing, expected: undefined, by: 'somebody else' });
    const { at: closedAt = '' } = closed as { at?: string };
    const undo = await readConsequences(db.sql, reopenable({ closedAt }), 'USD');
    expect(
      await reopenDeadLetters(db.sql, { closedAt }, { ...closing, expected: undo.fingerprint }),
    ).toMatchObject({ kind: 'done', count: 3 });
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
      { who: 'somebody else', act: 'discarded', program: 'console', detail: { count: 1, why: 'tests' } },
      { who: 'boss', act: 'discarded', program: 'console', detail: { count: 3, why: 'tests' } },
    ]);
  });
});

describe('a discarded dead letter', () => {
  const discard = (forGood: boolean) =>
    discardDeadLetters(db.sql, {}, { by: 'boss', why: 'tests', program: 'command', forGood });
  const sent = (redelivered: boolean, parameters: Parameters = {}) =>
    persist(db.sql, [delivered(refused('again', parameters), { redelivered })], BILLING);
  const now = () =>
    db.rows(`select status, deaths::text, (reopened_at is null)::text as untouched, (closed_at is null)::text as open
      from dead_letters where verified`);
  const events = () => db.rows('select event, by from dead_letter_events order by id');

  it('opens when its switch sends the call again, and says so in its history', async () => {
    await sent(false);
    await discard(false);
    await sent(false);
    expect(await now()).toEqual([{ status: 'dead', deaths: '2', untouched: 'false', open: 'true' }]);
    expect(await events()).toEqual([
      { event: 'discarded', by: 'boss' },
      { event: 'reopened', by: null },
    ]);
    expect((await readPage(db.sql, {}, 1)).deadLetters[0]?.reopened_at).toBeInstanceOf(Date);
  });

  it.each<[string, () => Promise<unknown>]>([
    ['the broker delivers its message again', () => sent(true)],
    ['somebody else claims to send it again', () => sent(false, { auth_password: 'wrong' })],
    ['its switch only asks for validation', () => sent(false, { validation: 1 })],
    ['another call dies', () => db.persist([refused('other')])],
  ])('stays discarded when %s', async (_what, happen) => {
    await sent(false);
    await discard(false);
    await happen();
    expect((await now())[0]).toMatchObject({ status: 'discarded', untouched: 'true', open: 'false' });
  });

  it('stays discarded for good whoever sends the call, until an operator reopens it', async () => {
    await sent(false);
    await discard(true);
    await sent(false);
    expect(await now()).toMatchObject([{ status: 'discarded', deaths: '2' }]);
    expect(await reopenDeadLetters(db.sql, {}, { by: 'boss', why: 'a mistake', program: 'command' })).toEqual(
      {
        kind: 'done',
        count: 1,
        at: expect.any(String),
      },
    );
    await discard(false);
    await sent(false);
    expect(await now()).toMatchObject([{ status: 'dead', deaths: '3' }]);
  });

  it('that was merged into another stays closed, for operators and for its switch', async () => {
    await sent(false);
    await db.execute(`update dead_letters set reason = 'poison'`);
    const { digest } = admitted(refused('again')).deadLetter();
    await closeTried(
      db.sql,
      { reason: 'poison', digest },
      { kind: 'rejected', errors: [] },
      { uniqueid: null, entry: null },
    );
    expect(await reopenDeadLetters(db.sql, {}, { by: 'boss', why: 'why', program: 'command' })).toEqual({
      kind: 'done',
      count: 0,
      at: expect.any(String),
    });
    await db.execute(`update dead_letters set reason = 'rejected'`);
    await sent(false);
    expect(await now()).toMatchObject([{ status: 'discarded', deaths: '2' }]);
  });
});

describe('no dead letter becomes resolved whose call is not stored', () => {
  const status = async () => (await db.rows('select status from dead_letters')).map((row) => row.status);
  const { digest } = admitted(refused('lost')).deadLetter();

  it.each<[string, (id: string, uniqueid: string) => Promise<void>]>([
    [
      'as the result of a replay',
      (id, uniqueid) =>
        recordReplays(db.sql, [
          { id, digest, attempt: 1, uniqueid, entry: null, by: 'boss', outcome: ACCEPTED },
        ]),
    ],
    [
      'after it was tried',
      (_id, uniqueid) =>
        closeTried(db.sql, { reason: 'rejected', digest }, { kind: 'duplicate' }, { uniqueid, entry: null }),
    ],
    ['after it waited for a row', (id, uniqueid) => resolveWaiting(db.sql, id, { uniqueid, entry: null })],
  ])('%s', async (what, resolve) => {
    await db.persist([refused('lost'), { uniqueid: 'there' }]);
    if (what.includes('replay'))
      await db.execute(`update dead_letters set status = 'replaying', replays = 1`);
    const [before] = await status();
    const [{ id = '' } = {}] = await db.rows('select id::text from dead_letters');
    await expect(resolve(id ?? '', 'lost')).rejects.toThrow('is not stored');
    expect(await status()).toEqual([before]);
    await resolve(id ?? '', 'there');
    expect(await status()).toEqual(['resolved']);
  });

  it('also where its call has been pruned since', async () => {
    await db.persist([refused('lost')]);
    await db.execute(`insert into past_calls (uniqueid, fingerprint) values ('past', '\\x00')`);
    const [{ id = '' } = {}] = await db.rows('select id::text from dead_letters');
    await resolveWaiting(db.sql, id ?? '', { uniqueid: 'past', entry: null });
    expect(await status()).toEqual(['resolved']);
  });
});

describe('rows of a version before', () => {
  const makeOld = () =>
    db.execute(`with gone as (delete from dead_letter_keys)
      update dead_letters set search_keys = null, answer_key = null, closed_for_good = false`);

  it('are grouped and found by uniqueid at once, and by everything else when they have been filled', async () => {
    await db.persist([refused('Old-1', { callid: 'Sip-1' }), refused('Old-2', { scustomer: 1, peer: 9 })]);
    await makeOld();
    expect(await found('Old-1')).toEqual(['Old-1']);
    expect(await found('sip-1')).toEqual([]);
    const problems = await readProblems(db.sql, {}, 'USD');
    expect(problems.map(({ key }) => key).sort()).toEqual(['peer', 'scustomer']);
    expect(await fillDeadLetters(db.sql)).toBe(2);
    expect(await found('sip-1')).toEqual(['Old-1']);
    expect(await readProblems(db.sql, {}, 'USD')).toEqual(problems);
    expect(await db.rows('select answer_key from dead_letters order by 1')).toEqual([
      { answer_key: 'peer' },
      { answer_key: 'scustomer' },
    ]);
    expect(await fillDeadLetters(db.sql)).toBe(0);
  });

  it('that cannot be read have the uniqueid that was found in them', async () => {
    await persist(db.sql, [admitted(refused('torn'))], BILLING);
    await makeOld();
    await db.execute(`update dead_letters set body = '{"uniqueid":"torn",'`);
    expect(await fillDeadLetters(db.sql)).toBe(1);
    expect(await db.rows(`select search_keys::text as keys from dead_letters`)).toEqual([{ keys: '{torn}' }]);
  });

  it('that were merged stay closed for good; those that were discarded do not', async () => {
    await db.persist([refused('merged'), refused('discarded')]);
    await db.execute(`update dead_letters set status = 'discarded'`);
    await db.execute(
      `insert into dead_letter_events (dead_letter, event) select id, uniqueid from dead_letters`,
    );
    await makeOld();
    await fillDeadLetters(db.sql);
    expect(
      await db.rows('select uniqueid, closed_for_good::text as good from dead_letters order by 1'),
    ).toEqual([
      { uniqueid: 'discarded', good: 'false' },
      { uniqueid: 'merged', good: 'true' },
    ]);
  });

  it('that somebody has locked are left for the next time', async () => {
    await db.persist([refused('a'), refused('b')]);
    await makeOld();
    await db.transaction(
      async (within) => {
        await within(unprepared('test.lock', `select from dead_letters where uniqueid = 'a' for update`), []);
        expect(await fillDeadLetters(db.sql)).toBe(1);
      },
      { timeoutMs: 20_000 },
    );
    expect(await fillDeadLetters(db.sql)).toBe(1);
  });
});
