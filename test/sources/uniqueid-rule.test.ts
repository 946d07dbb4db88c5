import { describe, expect, it } from 'vitest';
import { uniqueidRule } from '../../src/sources/uniqueid-rule.ts';
import { feedIn } from './feeds.ts';

const feed = (format: string, uniqueid: string) =>
  feedIn(`fs:
  exchange: x
  as: switch
  machines: [m]
  ${format}
  call:
    uniqueid: ${uniqueid}
    machine: { constant: m }
    start: { from: b, time: s }
    scustomer: { constant: "1" }
`);
const json = (uniqueid: string) => feed('format: json', uniqueid);
const csv = (columns: string, uniqueid: string) => feed(`format: csv\n  columns: ${columns}`, uniqueid);
const positional = (fields: string) => feed(`format: positional\n  fields: ${fields}`, 'a');

const same = (one: ReturnType<typeof feed>, other: ReturnType<typeof feed>) =>
  expect(uniqueidRule(one)).toEqual(uniqueidRule(other));
const different = (one: ReturnType<typeof feed>, other: ReturnType<typeof feed>) =>
  expect(uniqueidRule(one)).not.toEqual(uniqueidRule(other));

describe('the rule for uniqueid', () => {
  it('is the same however a value is written', () => {
    same(json('a.b'), json('{ from: [a, b] }'));
    same(json('{ join: [a, b] }'), json('{ join: [{ from: a }, b], by: / }'));
  });

  it('is another one for other fields, another order, another separator or another text', () => {
    different(json('a'), json('c'));
    different(json('{ join: [a, b] }'), json('{ join: [b, a] }'));
    different(json('{ join: [a, b] }'), json('{ join: [a, b], by: "-" }'));
    different(json('{ join: [a, { constant: x }] }'), json('{ join: [a, { constant: y }] }'));
    different(json('a'), feed('format: json\n  root: params', 'a'));
    different(json('a'), feed('format: form', 'a'));
  });

  it('says where columns stand, not how they are named or what comes after them', () => {
    same(csv('[a, b]', 'a'), csv('[c, b, more]', 'c'));
    different(csv('[a, b]', 'a'), csv('[b, a]', 'a'));
    same(positional('{ a: 1-9, b: 10-19 }'), positional('{ b: 10-20, a: 1-9 }'));
    different(positional('{ a: 1-9, b: 10-19 }'), positional('{ a: 1-8, b: 10-19 }'));
  });
});
