import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readCallFilter } from '../../src/calls/filter.ts';
import { readCallStory } from '../../src/calls/story.ts';
import { readEntries } from '../../src/store/calls/entries.ts';
import { type CallFilter, conditionOf } from '../../src/store/calls/filter.ts';
import { callPages, findCalls } from '../../src/store/calls/find.ts';
import { unprepared } from '../../src/store/sql.ts';
import { correct } from '../support/correcting.ts';
import type { BillingDatabase } from '../support/persisting.ts';
import { START, START_TEXT, storedCalls } from '../support/stored-calls.ts';

let db: BillingDatabase;

beforeAll(async () => {
  db = await storedCalls('calls');
});
afterAll(() => db?.drop());

async function found(text: Parameters<typeof readCallFilter>[0], limit = 10): Promise<string[]> {
  const { calls } = await findCalls(db.sql, readCallFilter(text, new Date()), { limit });
  return calls.map(({ uniqueid }) => uniqueid);
}

/** By which indexes of `cdrs` a search goes, were the table too large to be read as a whole. */
async function indexesOf(filter: CallFilter): Promise<string[]> {
  const plans: string[] = [];
  await db.transaction(
    async (sql) => {
      await sql(unprepared('test.no-scans', 'set local enable_seqscan = off'), []);
      const explaining: typeof sql = async ({ name, text }, values) => {
        if (name !== 'calls.page') return await sql({ name, text }, values);
        plans.push(JSON.stringify(await sql(unprepared(name, `explain ${text}`), values)));
        return [];
      };
      await findCalls(explaining, filter, { limit: 10 });
    },
    { timeoutMs: 10_000 },
  );
  return [...new Set(plans.join().match(/(?<=using |on )cdrs_\w+/g))];
}

describe('stored calls', () => {
  it.each([
    [{ uniqueid: 'a' }, ['a']],
    [{ callid: 'both' }, ['b', 'a']],
    [{ customer: '2' }, ['d', 'c']],
    [{ number: '+31 6 1234 5678' }, ['c', 'b', 'a']],
    [{ number: '+44 20' }, ['a']],
    [{ machine: 'm-2' }, ['c']],
    [{ source: '' }, ['d', 'c', 'b', 'a', 'e']],
    [{ source: 'feed' }, []],
    [{ since: START_TEXT }, ['d', 'c', 'b', 'a']],
    [{ until: START_TEXT }, ['e']],
    [{ since: START_TEXT, until: '2023-11-14T22:14:20Z' }, ['a']],
    [{ invoice: '10' }, ['b', 'a']],
    [{ charged: '12.05' }, ['a']],
    [{ charged: '100..' }, ['c']],
    [{ charged: '..0' }, ['d', 'e']],
    [{ charged: '1..13', customer: '1' }, ['b', 'a']],
  ])('are found by %j, the latest start first', async (filter, expected) => {
    expect(await found(filter)).toEqual(expected);
  });

  it('come in pages that neither repeat nor leave out a call', async () => {
    const pages: string[][] = [];
    let after: Awaited<ReturnType<typeof findCalls>>['next'];
    do {
      const { calls, next } = await findCalls(db.sql, {}, { limit: 2, after });
      pages.push(calls.map(({ uniqueid }) => uniqueid));
      after = next;
    } while (after !== undefined);
    expect(pages).toEqual([['d', 'c'], ['b', 'a'], ['e']]);
  });
});

describe('stored calls of many days', () => {
  const DAY = 86_400;
  beforeAll(async () => {
    const calls = Array.from({ length: 40 }, (_, index) => ({
      uniqueid: `day-${String(index).padStart(2, '0')}`,
      machine: 'm-days',
      scustomer: 3,
      start: START + 100 * DAY + (index >> 1) * (index >> 1) * DAY,
    }));
    await db.persist([
      ...calls,
      { uniqueid: 'far', scustomer: 3, start: 253_402_300_799, end: 253_402_300_799 },
    ]);
  });

  const uniqueids = async (order: 'latest' | 'earliest', limit: number, filter = { customer: 3 }) => {
    const pages: string[][] = [];
    for await (const calls of callPages(db.sql, filter, { order, limit }))
      pages.push(calls.map(({ uniqueid }) => uniqueid));
    expect(Math.max(...pages.map(({ length }) => length))).toBeLessThanOrEqual(limit);
    expect(Math.min(...pages.map(({ length }) => length))).toBeGreaterThan(0);
    return pages.flat();
  };

  it.each([1, 3, 7, 100])(
    'come in their order, in pages of %i, whatever lies between the days',
    async (limit) => {
      const all = Array.from({ length: 40 }, (_, index) => `day-${String(index).padStart(2, '0')}`);
      expect(await uniqueids('earliest', limit)).toEqual([...all, 'far']);
      expect(await uniqueids('latest', limit)).toEqual(['far', ...all.toReversed()]);
    },
  );

  it('are looked for through the index of days, and by callid without any', async () => {
    const filters: CallFilter[] = [
      { customer: 3 },
      { callid: 'both' },
      { uniqueid: 'a' },
      { since: new Date(0) },
      { since: new Date(0), numbers: ['+447'] },
    ];
    const indexes = await Promise.all(filters.map(indexesOf));
    const byDay = ['cdrs_found_idx'];
    expect(indexes).toEqual([byDay, byDay, ['cdrs_pkey'], byDay, byDay]);
  });

  it('of a number are told apart within the index, whichever of the three it is', async () => {
    const { text, values } = conditionOf({ numbers: ['+447', '00447'] });
    const plan = await db.transaction(
      async (sql) => {
        await sql(unprepared('test.no-scans', 'set local enable_seqscan = off'), []);
        return await sql(
          unprepared('test.number', `explain (costs off) select from cdrs d where ${text}`),
          values,
        );
      },
      { timeoutMs: 10_000 },
    );
    const conditions = JSON.stringify(plan).match(/Index Cond: [^"]*ltrim\((?:[a-z]+)/g) ?? [];
    expect(conditions.map((condition) => condition.split('(').at(-1)).sort()).toEqual([
      'cnumber',
      'dnumber',
      'snumber',
    ]);
  });
});

describe('a call that was corrected to another customer', () => {
  it('is found by both, and on the invoices of both', async () => {
    await db.persist([{ uniqueid: 'moved', start: START + 5, cost: '4' }]);
    await correct(db, { id: 'to-two', uniqueid: 'moved', changes: { customer: 2 } });
    expect(await found({ customer: '1', since: START_TEXT })).toContain('moved');
    expect(await found({ customer: '2', since: START_TEXT })).toContain('moved');
    const entries = (await readEntries(db.sql, ['moved', 'a'])).get('moved');
    expect(entries?.map(({ kind, customer }) => [kind, customer])).toEqual([
      ['reversing', 1],
      ['new', 2],
    ]);
    expect(await found({ invoice: '10' })).toEqual(['b', 'moved', 'a']);
    expect(await found({ invoice: String(entries?.[1]?.invoice) })).toContain('moved');
    expect(await found({ invoice: '10', customer: '2' })).toEqual([]);
    expect(await found({ invoice: '999' })).toEqual([]);
  });
});

describe('the story of a call', () => {
  it('says what was charged tax by tax, on which terms and on which invoice', async () => {
    const story = await readCallStory(db.sql, 'a');
    expect(story?.call).toMatchObject({
      uniqueid: 'a',
      start: new Date(START_TEXT),
      customer_name: 'one',
      charged: '12.05',
      invoice: 10,
      invoice_currency: 'EUR',
      invoice_rate: '0.92',
      submitted_by: 'switch',
      charged_taxes: [
        { id: 1, name: 'VAT', rate: '20', amount: '2' },
        { id: 2, name: 'levy', flat: '0.05', amount: '0.05' },
      ],
    });
    expect(story?.invoices).toMatchObject([{ id: 10, status: 'open' }]);
  });

  it('is undefined for a uniqueid that was never stored', async () => {
    expect(await readCallStory(db.sql, 'nobody')).toBeUndefined();
  });
});
