import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { nothingHeld } from '../../src/domain/held.ts';
import { tokenHashOf } from '../../src/domain/replay-header.ts';
import { asDecided, type Submission } from '../../src/domain/submission.ts';
import { classifyFailure } from '../../src/store/database.ts';
import { readFinished, readReplayable } from '../../src/store/dead-letters/mark.ts';
import { attemptsOn } from '../../src/store/persist/attempts.ts';
import { createReadAhead } from '../../src/store/persist/read-ahead.ts';
import { persistReplays, persistWithReplays } from '../../src/store/persist/replays.ts';
import { type Sql, type Statement, unprepared } from '../../src/store/sql.ts';
import type { Admitted } from '../../src/worker/admission.ts';
import { quarantineReplay } from '../../src/worker/quarantine.ts';
import { admitReplay } from '../../src/worker/replay-admission.ts';
import { BILLING } from '../support/billing.ts';
import { markAsBoss } from '../support/marking.ts';
import { keysOfFeeds, ofFeed } from '../support/of-feed.ts';
import { admitted, type BillingDatabase, billingDatabase } from '../support/persisting.ts';
import { NO_PROPERTIES } from '../support/requests.ts';

const CONTEXT = { billing: BILLING, isHeld: nothingHeld };

let db: BillingDatabase;

beforeAll(async () => {
  db = await billingDatabase('persist_replays');
});

afterAll(async () => {
  await db?.drop();
});

beforeEach(async () => {
  await db.execute('truncate dead_letters, dead_letter_events, cdrs');
  await db.execute('update customers set balance = 0, charged = 0, calls = 0');
});

/** A refused call, marked by an operator; what its replay is as the worker admits it. */
async function replayOf(parameters: Record<string, unknown>): Promise<Admitted> {
  await db.persist([{ ...parameters, scustomer: 99 }]);
  const [latest] = await db.rows('select id::text from dead_letters order by id desc limit 1');
  const id = latest?.id ?? '';
  const [row] = await readReplayable(db.sql, [id]);
  if (row === undefined) throw new Error('there should be a letter');
  const token = randomBytes(32).toString('base64url');
  const call = { machine: 'm', start: 1_700_000_000, scustomer: 1, ...parameters };
  const body = Buffer.from(JSON.stringify(call));
  await markAsBoss(db.sql, [{ ...row, tokenHash: tokenHashOf(token, body) }]);
  const rules = {
    maxBodyBytes: 10_000,
    keptBodyBytes: 4096,
    ignored: new Set<string>(),
    systemCurrency: 'USD',
    feeds: { feedNamed: () => undefined },
    program: 'worker' as const,
  };
  return admitReplay(
    { body, bytes: body.length, properties: NO_PROPERTIES },
    `${id}.${row.replays + 1}.${token}`,
    rules,
  );
}

/** As the pipeline does it: what only collided with another worker is persisted again. */
async function persistBatch(entries: readonly Submission[]): Promise<string[]> {
  for (;;) {
    try {
      return (await persistWithReplays(db, entries, CONTEXT, 20_000)).map(({ kind }) => kind);
    } catch (error) {
      if (classifyFailure(error) !== 'collision') throw error;
    }
  }
}

const deadLetters = () =>
  db.rows('select uniqueid, reason, status, replays::text from dead_letters order by id');
const stored = () => db.rows('select uniqueid, submitted_by, replayed_by from cdrs order by uniqueid');

describe('a batch', () => {
  it('may mix replays and ordinary calls; outcomes keep their order', async () => {
    const one = await replayOf({ uniqueid: 'r-1' });
    const two = await replayOf({ uniqueid: 'r-2', cost: 'x' });
    expect(
      await persistBatch([
        admitted({ uniqueid: 'o-1' }),
        one,
        admitted({ uniqueid: 'o-2', scustomer: 98 }),
        two,
      ]),
    ).toEqual(['accepted', 'accepted', 'rejected', 'rejected']);
    expect(await stored()).toEqual([
      { uniqueid: 'o-1', submitted_by: 'switch', replayed_by: null },
      { uniqueid: 'r-1', submitted_by: 'switch', replayed_by: 'boss' },
    ]);
    expect(await deadLetters()).toEqual([
      { uniqueid: 'r-1', reason: 'rejected', status: 'resolved', replays: '1' },
      { uniqueid: 'r-2', reason: 'rejected', status: 'dead', replays: '1' },
      { uniqueid: 'o-2', reason: 'rejected', status: 'dead', replays: '0' },
    ]);
  });

  it('answers two copies of a replay in it, and a third one later, without charging again', async () => {
    const replay = await replayOf({ uniqueid: 'r-1', cost: 2 });
    expect(await persistBatch([replay, replay])).toEqual(['accepted', 'duplicate']);
    const third = await persistWithReplays(db, [replay], CONTEXT, 5000);
    expect(third).toMatchObject([{ kind: 'duplicate', bill: { charged: '2', invoice: 10 } }]);
    expect(await db.rows('select trim_scale(charged)::text as charged from customers where id = 1')).toEqual([
      { charged: '2' },
    ]);
    const refused = await replayOf({ uniqueid: 'r-2', cost: 'x' });
    expect(await persistBatch([refused, refused])).toEqual(['rejected', 'rejected']);
    expect(await persistBatch([refused])).toEqual(['rejected']);
    expect(await db.rows(`select deaths::text from dead_letters where uniqueid = 'r-2'`)).toEqual([
      { deaths: '2' },
    ]);
  });
});

describe('a batch that is prepared while the one before is written', () => {
  let statements: string[];
  let answers: Promise<unknown>[];
  const prepare = (submissions: readonly Submission[]) => {
    const counting: Sql = <Row>(statement: Statement, values: readonly unknown[]) => {
      statements.push(statement.name);
      const rows = db.sql<Row>(statement, values);
      answers.push(rows);
      return rows;
    };
    const { plain } = attemptsOn({ sql: counting, transaction: db.transaction }, BILLING, 20_000);
    const readAhead = createReadAhead(counting, BILLING, (some, lookup) => plain(some, nothingHeld, lookup));
    const persist = readAhead(submissions);
    return async () => (await persist()).map(({ kind }) => kind);
  };
  beforeEach(() => {
    statements = [];
    answers = [];
  });

  it('has the rows of its replays looked up by then, and asks no more than a batch of calls does', async () => {
    const [one, two] = [await replayOf({ uniqueid: 'r-1' }), await replayOf({ uniqueid: 'r-2', cost: 'x' })];
    const persist = prepare([one, admitted({ uniqueid: 'o-1' }), two]);
    const ahead = ['persist.claim-replays', 'persist.look-up'];
    expect(statements.sort()).toEqual(ahead);
    expect(await persist()).toEqual(['accepted', 'accepted', 'rejected']);
    // What the transaction of the replays does is not counted.
    expect(statements.sort()).toEqual([...ahead, 'persist.write-calls']);
    expect(await stored()).toMatchObject([{ uniqueid: 'o-1' }, { uniqueid: 'r-1', replayed_by: 'boss' }]);
  });

  it('is persisted again where another worker has persisted one of its replays since', async () => {
    const replay = await replayOf({ uniqueid: 'r-1', cost: 2 });
    const persist = prepare([replay]);
    await Promise.all(answers);
    expect(await persistBatch([replay])).toEqual(['accepted']);
    const failure = await persist().catch((error: unknown) => error);
    expect(classifyFailure(failure)).toBe('collision');
    expect(await prepare([replay])()).toEqual(['duplicate']);
    expect(await db.rows('select calls::text from customers where id = 1')).toEqual([{ calls: '1' }]);
  });

  it('has a replay refused whose dead letter was marked again since', async () => {
    const older = await replayOf({ uniqueid: 'r-1' });
    const persist = prepare([older]);
    await Promise.all(answers);
    await db.execute('update dead_letters set replays = 2');
    await expect(persist()).rejects.toThrow('another worker persisted a replay');
    expect(await stored()).toEqual([]);
    expect(await prepare([older])()).toEqual(['superseded']);
  });
});

it('finished attempts are counted by their results; one whose dead letter was deleted is waited for no longer, one under way is', async () => {
  const states = ['resolved', 'resolved', 'dead', 'discarded', 'replaying', 'replaying'];
  await db.persist(states.map((_, index) => ({ uniqueid: `r-${index}`, cost: 'x' })));
  const ids = (await db.rows('select id::text from dead_letters order by id')).map(({ id }) => id ?? '');
  for (const [index, status] of states.entries())
    await db.execute(`update dead_letters set status = '${status}', replays = 1 where id = ${ids[index]}`);
  await db.execute(`update dead_letters set replays = 2 where id = ${ids[4]}`);
  const attempts = [...ids, '999999999'].map((id) => ({ id, attempt: 1 }));
  const { finished, unfinished } = await readFinished(db.sql, attempts);
  const order = ({ result, code }: { result: string; code: string }) => `${result} ${code}`;
  expect(finished.sort((one, other) => order(one).localeCompare(order(other)))).toEqual([
    { result: 'dead', code: '400', count: 2 },
    { result: 'resolved', code: '204', count: 2 },
    { result: 'taken over', code: '', count: 1 },
    { result: 'taken over', code: '400', count: 1 },
  ]);
  expect(unfinished).toEqual([ids[5]]);
});

it('a dead letter is marked without writing any index', async () => {
  await db.persist([{ uniqueid: 'r-1', cost: 'x' }]);
  const ids = (await db.rows('select id::text from dead_letters')).map(({ id }) => id ?? '');
  const [row] = await readReplayable(db.sql, ids);
  if (row === undefined) throw new Error('there should be a letter');
  const updated = unprepared(
    'test.updated',
    `select pg_stat_get_xact_tuples_updated(t)::int as updates, pg_stat_get_xact_tuples_hot_updated(t)::int as hot
     from (select 'dead_letters'::regclass as t) as letters`,
  );
  const counts = await db.transaction(
    async (sql) => {
      const before = await sql<{ updates: number; hot: number }>(updated, []);
      await markAsBoss(sql, [{ ...row, tokenHash: '00'.repeat(32) }]);
      return [...before, ...(await sql<{ updates: number; hot: number }>(updated, []))];
    },
    { timeoutMs: 20_000 },
  );
  const [before, after] = counts;
  expect(after?.updates).toBe((before?.updates ?? 0) + 1);
  expect(after?.hot).toBe((before?.hot ?? 0) + 1);
});

describe('a replay', () => {
  it('of a feed learns its customer even where it cannot be written: who holds that row is asked next', async () => {
    await db.execute(`delete from customer_keys`);
    await db.execute(keysOfFeeds);
    const replay = await replayOf({ uniqueid: 'r-1', cost: 2 });
    if (replay.kind !== 'call') throw new Error('expected a call');
    replay.call = { ...replay.call, ...ofFeed({ uniqueid: 'r-1', cost: 2 }, { account: 'two' }).call };
    const failing: Sql = (statement, values) =>
      statement.name.startsWith('persist.write')
        ? Promise.reject(new Error('held'))
        : db.sql(statement, values);
    await expect(persistReplays(failing, [replay as never], CONTEXT)).rejects.toThrow('held');
    expect(replay.call.cdr).toMatchObject({ scustomer: 2, dcustomer: 2 });
    expect(await persistBatch([replay])).toEqual(['accepted']);
    expect(await db.rows('select scustomer::text, source, replayed_by from cdrs')).toEqual([
      { scustomer: '2', source: 'fs-1', replayed_by: 'boss' },
    ]);
  });

  it('that two workers have at once is stored once and answered by both', async () => {
    const replay = await replayOf({ uniqueid: 'r-1', cost: 2 });
    for (let round = 1; round <= 10; round += 1) {
      const mine = round === 1 ? replay : await replayOf({ uniqueid: `r-${round}`, cost: 2 });
      const outcomes = await Promise.all(Array.from({ length: 4 }, () => persistBatch([mine])));
      expect(outcomes.flat().sort()).toEqual(['accepted', 'duplicate', 'duplicate', 'duplicate']);
    }
    expect(await db.rows('select calls::text from customers where id = 1')).toEqual([{ calls: '10' }]);
    const resolved = await db.rows(
      `select count(*)::text as events from dead_letter_events where event = 'resolved'`,
    );
    expect(resolved).toEqual([{ events: '10' }]);
  });

  it('whose transaction does not come to its end has neither a call nor a new state, and is persisted later', async () => {
    const replay = await replayOf({ uniqueid: 'r-1' });
    const work = db.transaction(
      async (sql) => {
        await persistReplays(sql, [replay as never], CONTEXT);
        throw new Error('killed');
      },
      { timeoutMs: 20_000 },
    );
    await expect(work).rejects.toThrow('killed');
    expect(await stored()).toEqual([]);
    expect(await deadLetters()).toMatchObject([{ status: 'replaying' }]);
    expect(await persistBatch([replay])).toEqual(['accepted']);
  });

  it('of an older attempt is superseded and changes nothing', async () => {
    const older = await replayOf({ uniqueid: 'r-1' });
    const [row] = await readReplayable(db.sql, [
      (await db.rows('select id::text from dead_letters'))[0]?.id ?? '',
    ]);
    if (row === undefined) throw new Error('there should be a letter');
    await markAsBoss(db.sql, [{ ...row, tokenHash: '00'.repeat(32) }]);
    expect(await persistBatch([older])).toEqual(['superseded']);
    expect(await deadLetters()).toMatchObject([{ status: 'replaying', replays: '2' }]);
    expect(await stored()).toEqual([]);
  });

  it('that the database refuses is dead again as failed when it is parked', async () => {
    const replay = await replayOf({ uniqueid: 'r-1', cost: '1' });
    await db.execute('update customers set balance = -999999999999999999999999.999999 where id = 1');
    await expect(persistBatch([replay])).rejects.toThrow();
    const outcome = { kind: 'failed' as const, reason: 'failed' as const, error: 'number out of range' };
    const parked = asDecided(outcome, replay);
    expect(await persistBatch([parked])).toEqual(['failed']);
    expect(await db.rows('select reason, status, error from dead_letters')).toEqual([
      { reason: 'failed', status: 'dead', error: 'number out of range' },
    ]);
  });

  it('of a validation request is a call, and stored', async () => {
    const asking = await replayOf({ uniqueid: 'q-1', auth_username: 'auditor', validation: 1 });
    expect(await persistBatch([asking])).toEqual(['accepted']);
    expect(await deadLetters()).toMatchObject([{ reason: 'forbidden', status: 'resolved' }]);
    expect(await stored()).toMatchObject([{ uniqueid: 'q-1' }]);
  });

  it('that was answered without being stored is never resolved', async () => {
    const replay = await replayOf({ uniqueid: 'q-2' });
    const answered = { ...asDecided({ kind: 'validated' }, replay), validationOnly: true };
    expect(await persistBatch([answered])).toEqual(['validated']);
    expect(await deadLetters()).toMatchObject([{ reason: 'failed', status: 'dead' }]);
    expect(await stored()).toEqual([]);
  });

  it('whose dead letter is gone is refused as one that was made up', async () => {
    const replay = await replayOf({ uniqueid: 'r-1' });
    await db.execute('truncate dead_letters, dead_letter_events');
    expect(await persistBatch([replay])).toEqual(['unauthenticated']);
    expect(await deadLetters()).toMatchObject([{ reason: 'unauthenticated', status: 'dead' }]);
  });
});

describe('a quarantined replay', () => {
  const request = {
    body: Buffer.alloc(0),
    bytes: 0,
    properties: NO_PROPERTIES,
  };
  async function takenIn(replay: Admitted, redeliveries: number, isFaulty = false) {
    const persist = async (submission: Submission) => {
      if (isFaulty && submission.kind === 'call') throw new Error('its own fault');
      const [outcome] = await persistWithReplays(db, [submission], CONTEXT, 20_000);
      if (outcome?.kind === 'held') throw new Error('nothing is held here');
      if (outcome === undefined) throw new Error('there should be an outcome');
      return outcome;
    };
    const message = { request, reason: 'poison' as const, redeliveries };
    const ports = {
      persist,
      isWell: async () => true,
      pause: () => Promise.resolve(),
    };
    return (await quarantineReplay(message, replay, ports)).kind;
  }

  it('is tried once, alone', async () => {
    expect(await takenIn(await replayOf({ uniqueid: 'g-1' }), 0)).toBe('accepted');
    expect(await stored()).toEqual([{ uniqueid: 'g-1', submitted_by: 'switch', replayed_by: 'boss' }]);
    expect(await deadLetters()).toMatchObject([{ uniqueid: 'g-1', status: 'resolved' }]);
  });

  it('is dead again, as poison, where it may have taken a worker with it, or fails by its own fault', async () => {
    expect(await takenIn(await replayOf({ uniqueid: 'g-2' }), 1)).toBe('failed');
    expect(await takenIn(await replayOf({ uniqueid: 'g-3' }), 0, true)).toBe('failed');
    expect(await stored()).toEqual([]);
    expect(await deadLetters()).toMatchObject([
      { uniqueid: 'g-2', status: 'dead', reason: 'poison' },
      { uniqueid: 'g-3', status: 'dead', reason: 'poison' },
    ]);
  });
});
