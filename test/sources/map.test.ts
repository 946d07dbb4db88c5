import { describe, expect, it } from 'vitest';
import { refusalsOf } from '../../src/sources/check.ts';
import { mapRecord } from '../../src/sources/map.ts';
import { feedIn } from './feeds.ts';

const feed = feedIn(`sw:
  exchange: x
  as: x
  machines: [m, n]
  format: json
  root: body.cdr
  skip: { leg: [b], kind: [sms, mms] }
  call:
    uniqueid: id
    machine: machine
    start: { from: start, time: ms }
    end: { from: end, time: ms }
    talktime: { between: [{ from: answer, none: ["0"], time: ms }, { from: end, time: ms }], round: down }
    scustomer: { from: account, lookup: account }
    dcustomer: { from: callee, lookup: number, optional: true }
    peer: { from: trunk, lookup: peers, optional: true }
    cost: cost
`);

const RECORD = {
  leg: 'a',
  kind: 'call',
  id: '1',
  machine: 'm',
  start: 1790000000250,
  answer: 1790000004310,
  end: 1790000064100,
  account: 'harbour',
  cost: '0.15',
};

function mapped(change: Record<string, unknown>) {
  return mapRecord(feed, JSON.stringify({ body: { cdr: { ...RECORD, ...change } } }));
}

describe('a record', () => {
  it('becomes a call with its lookups at its start', () => {
    expect(mapped({ callee: '2001', trunk: 'carrier-a' })).toEqual({
      kind: 'call',
      fields: { uniqueid: '1', machine: 'm', start: 1790000000, end: 1790000064, talktime: 59, cost: '0.15' },
      lookups: [
        { parameter: 'scustomer', kind: 'account', key: 'harbour', at: 1790000000 },
        { parameter: 'dcustomer', kind: 'number', key: '2001', at: 1790000000 },
        { parameter: 'peer', name: 'carrier-a' },
      ],
      isTimeGuessed: false,
      sequence: null,
    });
  });

  it('is left out by a listed value, whatever else is wrong with it', () => {
    expect(mapped({ kind: 'mms', cost: null })).toMatchObject({ kind: 'skip', field: 'kind', value: 'mms' });
    expect(mapped({ leg: undefined, kind: 'sms' })).toMatchObject({
      kind: 'skip',
      field: 'kind',
      value: 'sms',
    });
  });

  it('is never left out because a field of skip is missing', () => {
    expect(mapped({ leg: undefined })).toMatchObject({
      kind: 'unmapped',
      errors: [{ key: '', message: 'skip: field leg is missing' }],
    });
  });

  it('that lacks fields names each with its parameter, all at once', () => {
    expect(mapped({ cost: '', account: null, start: 'x' })).toMatchObject({
      kind: 'unmapped',
      errors: [
        { key: 'start', message: 'field start: expected milliseconds since 1970 in digits, got "x"' },
        { key: 'scustomer', message: 'field account is missing' },
        { key: 'cost', message: 'field cost is empty' },
      ],
    });
  });

  it('without the object that paths begin in says so', () => {
    expect(mapRecord(feed, '{"body": {"cdr": 1}}')).toMatchObject({
      kind: 'unmapped',
      errors: [{ key: '', message: 'the record has no object body.cdr' }],
    });
    expect(mapRecord(feed, 'x')).toMatchObject({
      kind: 'unmapped',
      errors: [{ key: '', message: 'the record is not JSON' }],
    });
  });

  it('never shows a password that stands in a value', () => {
    const result = mapped({ start: 'auth_password=hunter2' });
    expect(JSON.stringify(result)).not.toContain('hunter2');
  });
});

describe('a mapped call', () => {
  const refusals = (change: Record<string, unknown>) => {
    const result = mapped(change);
    return result.kind === 'call' ? refusalsOf(feed, result) : result;
  };

  it('is held to the contract and to the machines of its feed', () => {
    expect(refusals({})).toEqual([]);
    expect(refusals({ machine: 'o' })).toEqual([
      { key: 'machine', message: 'expected one of m, n, the machines of the feed' },
    ]);
    expect(refusals({ cost: 'free' })).toMatchObject([{ key: 'cost' }]);
    expect(refusals({ end: 1780000000000 })).toMatchObject([{ key: 'talktime' }, { key: 'end' }]);
  });
});

describe('the number of a record by its feed’s own counter', () => {
  const counting = feedIn(`sw:
  exchange: x
  as: x
  machines: [m]
  format: json
  skip: { leg: [b] }
  sequence: n
  call: { uniqueid: id, machine: m, start: { from: start, time: s }, scustomer: account }
`);
  const numberOf = (record: Record<string, unknown>) => mapRecord(counting, JSON.stringify(record)).sequence;
  const call = { leg: 'a', id: '1', m: 'm', start: 1, account: 1 };

  it('is told of a call, of one that is left out and of one that cannot be mapped', () => {
    expect(numberOf({ ...call, n: 7 })).toBe(7n);
    expect(numberOf({ leg: 'b', n: '8' })).toBe(8n);
    expect(numberOf({ leg: 'a', n: '9' })).toBe(9n);
  });

  it.each([
    ['is missing', undefined],
    ['is no number', 'x'],
    ['is negative', -1],
    ['has a fraction', 1.5],
    ['is a list', [1]],
    ['does not fit 63 bits', '9223372036854775807'],
  ])('is none where it %s, which is no error of the call', (_, n) => {
    expect(mapRecord(counting, JSON.stringify({ ...call, n }))).toMatchObject({
      kind: 'call',
      sequence: null,
    });
  });
});
