import { afterAll, beforeAll, expect, it } from 'vitest';
import * as z from 'zod';
import { cdrFields } from '../../src/domain/cdr.ts';
import type { Call } from '../../src/domain/decide.ts';
import { entryKinds } from '../../src/domain/entry.ts';
import { nothingHeld } from '../../src/domain/held.ts';
import type { FeedOfCall } from '../../src/domain/lookup.ts';
import { codes, deadReasons } from '../../src/domain/outcome.ts';
import { deadLetterStatuses } from '../../src/domain/record.ts';
import { readReplayable } from '../../src/store/dead-letters/mark.ts';
import { type FoundCall, readCorrectedCall } from '../../src/store/persist/corrections-look-up.ts';
import { type Found, type FoundWithKeys, lookUp } from '../../src/store/persist/look-up.ts';
import type { ReplayClaim } from '../../src/store/persist/replay-claims.ts';
import { persistReplays } from '../../src/store/persist/replays.ts';
import type { Sql, Statement } from '../../src/store/sql.ts';
import { BILLING } from '../support/billing.ts';
import { correct } from '../support/correcting.ts';
import { markAsBoss } from '../support/marking.ts';
import { admitted, type BillingDatabase, billingDatabase, type Parameters } from '../support/persisting.ts';

let db: BillingDatabase;
beforeAll(async () => {
  db = await billingDatabase('json-shapes');
});
afterAll(() => db.drop());

/** Notes the JSON that the database answers in a column. */
function noting(column: string): { sql: Sql; json: () => unknown } {
  let json: unknown;
  const sql: Sql = async <Row>(statement: Statement, values: readonly unknown[]) => {
    const rows = await db.sql<Row & Record<string, unknown>>(statement, values);
    const noted = rows[0]?.[column];
    if (noted !== undefined) json = JSON.parse(String(noted));
    return rows;
  };
  return { sql, json: () => json };
}

const rate = z.string().regex(/^\d+(\.\d+)?$/);
const code = z.string().length(3);
const seconds = z.string().regex(/^\d+(\.\d+)?$/);
const currencies = z.tuple([code, rate]).array();
const lists = {
  stored: z.tuple([z.string(), z.string().regex(/^[\da-f]{64}$/)]).array(),
  currencies: z.string().refine((text) => currencies.safeParse(JSON.parse(text)).success),
  customers: z.tuple([z.int(), code]).array(),
  peers: z.int().array(),
  taxes: z.tuple([z.int(), z.string(), rate, rate, code.nullable()]).array(),
  invoices: z.tuple([z.int(), z.int(), code, z.boolean(), seconds, seconds]).array(),
};
const found: z.ZodType<Found> = z.strictObject(lists);
const foundWithKeys: z.ZodType<FoundWithKeys> = z.strictObject({
  ...lists,
  owners: z.tuple([z.int(), z.int()]).array(),
  namedPeers: z.tuple([z.string(), z.int()]).array(),
});

it('the lookup builds the JSON that its type declares', async () => {
  const call = { uniqueid: 'u-1', cost: '1', taxes: '1,levy,fee', peer: 1, dcustomer: 2, invoice: 10 };
  await db.persist([call]);
  const calls = [call, { ...call, uniqueid: 'u-2', invoice: 0 }].map(callOf);
  const { sql, json } = noting('found');
  await lookUp(sql, calls, BILLING);
  const { currencies: text, ...others } = found.parse(json());
  expect(currencies.parse(JSON.parse(text))).toHaveLength(4);
  expect(Object.values(others).map(({ length }) => length)).toEqual([1, 2, 1, 3, 1]);
});

it('the lookup of calls of feeds does too', async () => {
  await db.execute(`insert into customer_keys (kind, key, customer) values ('account', '4711', 2)`);
  const call = callOf({ uniqueid: 'u-3', scustomer: 0, cost: '1' });
  const feed: FeedOfCall = {
    source: 'fs-1',
    lookups: [
      { parameter: 'scustomer', kind: 'account', key: '4711', at: call.cdr.start },
      { parameter: 'peer', name: 'carrier' },
    ],
  };
  const { sql, json } = noting('found');
  await lookUp(sql, [{ ...call, feed }], BILLING);
  const { owners, namedPeers, customers } = foundWithKeys.parse(json());
  expect({ owners, namedPeers, customers }).toEqual({
    owners: [[1, 2]],
    namedPeers: [['carrier', 1]],
    customers: [[2, 'EUR']],
  });
});

function callOf(parameters: Parameters): Call {
  const submission = admitted(parameters);
  if (submission.kind !== 'call') throw new Error('expected a call');
  return submission.call;
}

const value = z.union([z.string(), z.number()]);
const difference = z.strictObject({
  parameter: z.enum([...cdrFields, 'source']),
  stored: value,
  received: value,
});
const claims = z
  .strictObject({
    position: z.int(),
    id: z.string().regex(/^\d+$/),
    digest: z.string().regex(/^[\da-f]{64}$/),
    replays: z.int(),
    submittedBy: z.string().nullable(),
    verified: z.boolean(),
    by: z.string(),
    answer: z
      .strictObject({
        status: z.enum(deadLetterStatuses),
        reason: z.enum(deadReasons),
        responses: z.looseObject({ code: z.enum(codes), key: z.string(), message: z.string() }).array(),
        differences: difference.array().nullable(),
        error: z.string().nullable(),
      })
      .nullable(),
  })
  .array();

it('the claims of replays are the JSON that their type declares, before they are answered and after', async () => {
  await db.persist([{ uniqueid: 'r-1', cost: 'x' }, { uniqueid: 'r-2' }, { uniqueid: 'r-2', cost: '9' }]);
  const ids = (await db.rows('select id::text from dead_letters order by id')).map(({ id }) => id ?? '');
  const rows = await readReplayable(db.sql, ids);
  const tokenHash = '0'.repeat(64);
  await markAsBoss(
    db.sql,
    rows.map((row) => ({ ...row, tokenHash })),
  );
  const replays = rows.map(({ id, body, replays }) => ({
    ...admitted(JSON.parse(body) as Record<string, unknown>),
    replay: { deadLetter: id, attempt: replays + 1, tokenHash },
  }));
  const { sql, json } = noting('claims');
  await persistReplays(sql, replays, { billing: BILLING, isHeld: nothingHeld });
  const before: ReplayClaim[] = claims.parse(json());
  await persistReplays(sql, replays, { billing: BILLING, isHeld: nothingHeld });
  const after: ReplayClaim[] = claims.parse(json());
  expect(before.map(({ answer }) => answer)).toEqual([null, null]);
  expect(after.map(({ answer }) => answer?.reason)).toEqual(['rejected', 'conflict']);
});

const decimal = z.string().regex(/^-?\d+(\.\d+)?$/);
const moved = {
  customer: z.int(),
  charged: decimal,
  cost: decimal,
  currency: code,
  tax: decimal,
  taxes: z.string(),
  update_balance: z.int(),
  update_invoices: z.int(),
  invoice: z.int().nullable(),
  invoice_cost: decimal,
  invoice_tax: decimal,
  system_rate: rate,
  currency_rate: rate,
  customer_currency: code,
  customer_rate: rate,
  invoice_currency: code.nullable(),
  invoice_rate: rate.nullable(),
  tax_terms: z
    .strictObject({
      id: z.int(),
      rate,
      flat: rate,
      currency: code.exactOptional(),
      currency_rate: rate.exactOptional(),
    })
    .array()
    .nullable(),
  messages: z.int(),
  time: z.int(),
};
const entry = z.strictObject({
  ...moved,
  id: z.string(),
  kind: z.enum(entryKinds),
  uniqueid: z.string(),
  follows: z.string(),
  late_entry: z.string().nullable(),
  calls: z.int(),
  invoice_calls: z.int(),
  late: z.boolean(),
  fingerprint: z
    .string()
    .regex(/^[\da-f]{64}$/)
    .nullable(),
  booked_by: z.string(),
  why: z.string().nullable(),
});
const correctedCall = z.strictObject({
  call: z.strictObject({ ...moved, uniqueid: z.string(), machine: z.string(), start: z.number() }).nullable(),
  entries: entry.array(),
  own: entry.nullable(),
  isPruned: z.boolean(),
});

it('a corrected call and its entries are the JSON that their types declare, with taxes and without', async () => {
  await db.persist([
    { uniqueid: 'c-1', cost: '1', taxes: '1,fee' },
    { uniqueid: 'c-2', update_invoices: 0 },
  ]);
  await correct(db, { id: 'e-1', uniqueid: 'c-1', changes: { taxes: '' } }, { id: 'e-2', uniqueid: 'c-2' });
  const { sql, json } = noting('found');
  for (const [uniqueid, entries] of [
    ['c-1', 2],
    ['c-2', 1],
    ['nowhere', 0],
  ] as const) {
    await readCorrectedCall(sql, { uniqueid, id: 'e-1' });
    const read: FoundCall = correctedCall.parse(json());
    expect([read.entries.length, read.own?.id, read.call === null]).toEqual([entries, 'e-1', entries === 0]);
  }
});
