import { afterAll, beforeAll, expect, it } from 'vitest';
import { recordSourceRules } from '../../src/store/source-rules.ts';
import { type BillingDatabase, billingDatabase } from '../support/persisting.ts';

let db: BillingDatabase;

const rule = (source: string, exchange: string, from: string) => ({ source, exchange, uniqueid: { from } });

beforeAll(async () => {
  db = await billingDatabase('source_rules');
});
afterAll(() => db.drop());

const record = (rules: ReturnType<typeof rule>[], acceptsOthers = false) =>
  recordSourceRules(db.sql, rules, acceptsOthers);

it('takes feeds that it has not seen, and the same ones again', async () => {
  expect(await record([rule('a', 'x.a', 'id'), rule('b', 'x.b', 'id')])).toEqual([]);
  expect(await record([rule('b', 'x.b', 'id'), rule('a', 'x.a', 'id')])).toEqual([]);
  expect(await record([])).toEqual([]);
});

it('names the feeds that make uniqueids by another rule, and records nothing then', async () => {
  expect(await record([rule('a', 'x.a', 'other'), rule('c', 'x.c', 'id')])).toEqual(['a']);
  expect(await record([rule('c', 'x.c', 'another')])).toEqual([]);
});

it('knows a feed under another name by its exchange, and behind another exchange by its name', async () => {
  expect(await record([rule('renamed', 'x.b', 'other')])).toEqual(['renamed']);
  expect(await record([rule('b', 'x.moved', 'other')])).toEqual(['b']);
  expect(await record([rule('renamed', 'x.b', 'id'), rule('b', 'x.moved', 'id')])).toEqual([]);
  expect(await record([rule('third', 'x.moved', 'other')])).toEqual(['third']);
});

it('takes another rule that is accepted, once and for all', async () => {
  expect(await record([rule('a', 'x.a', 'new')], true)).toEqual([]);
  expect(await record([rule('a', 'x.a', 'new')])).toEqual([]);
  expect(await record([rule('a', 'x.a', 'id')])).toEqual(['a']);
  expect(await record([rule('b', 'x.b', 'new')], true)).toEqual([]);
  expect(await record([rule('b', 'x.b', 'new')])).toEqual([]);
  expect(await record([rule('renamed', 'x.b', 'new')])).toEqual([]);
});

it('lets workers that start together record the same feeds', async () => {
  const rules = Array.from({ length: 20 }, (_, index) => rule(`f${index}`, `x.f${index}`, 'id'));
  const recorded = await Promise.all(
    Array.from({ length: 8 }, (_, worker) => record(worker % 2 === 0 ? rules : [...rules].reverse())),
  );
  expect(recorded.flat()).toEqual([]);
});
