import { hash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readBody } from '../../src/domain/body.ts';
import { type Cdr, cdrFields, differences, fingerprint, toCdr } from '../../src/domain/cdr.ts';
import { isDecimal } from '../../src/domain/contract.ts';
import { validate } from '../../src/domain/validate.ts';
import { otherValue } from './contract-table.ts';
import { fuzz } from './fuzzing.ts';

const BASE =
  '"auth_username":"u","auth_password":"p","uniqueid":"7.1","machine":"1","start":100,"scustomer":5';

function cdrOf(members: string): Cdr {
  const body = readBody(`{${members}}`, 'json', isDecimal);
  const validation = validate(body.kind === 'fields' ? body.fields : {}, new Set());
  if (validation.kind === 'invalid') throw new Error(JSON.stringify(validation.errors));
  return toCdr(validation.call, 'USD');
}

const base = cdrOf(BASE);

/** Another value for every field, none of them a default or what the base call has. */
const OTHER = Object.fromEntries(
  cdrFields.map((name) => [name, otherValue(name, base[name])]),
) as unknown as Cdr;

describe('the fingerprint of a call', () => {
  it.each([
    ['numbers as text', BASE.replace('100', '"100"').replace(':5', ':"5"')],
    ['text as whole numbers', BASE.replace('"1"', '1')],
    ['whole numbers with a fraction of nought', BASE.replace('100', '100.0')],
    ['whole numbers with an exponent', BASE.replace('100', '1e2')],
    ['other credentials', BASE.replace('"u"', '"v"').replace('"p"', '"q"')],
    ['validation', `${BASE},"validation":1`],
    ['empty texts for defaults', `${BASE},"cost":"","end":"","taxes":"","peer":"","currency":"","media":""`],
    [
      'the defaults written out',
      `${BASE},"cost":"0.00","end":100,"dcustomer":5,"callid":"7.1","currency":"USD"`,
    ],
    [
      'more defaults',
      `${BASE},"talktime":0,"totaltime":"0","media":"voice","status":"answer","update_balance":1`,
    ],
    ['a cost of minus nought', `${BASE},"cost":-0`],
    ['another order', `"cost":0,${BASE.split(',').reverse().join(',')}`],
  ])('is the same for the same content in another form: %s', (_, members) => {
    expect(fingerprint(cdrOf(members))).toBe(fingerprint(base));
    expect(differences(base, cdrOf(members))).toEqual([]);
  });

  it.each([
    ['1.5', '"1.50"'],
    ['1.5', '15e-1'],
    ['999999999999.999999', '"999999999999.999999"'],
    ['-3', '"-3.000000"'],
  ])('is the same for the cost %s and %s', (one, other) => {
    expect(fingerprint(cdrOf(`${BASE},"cost":${one}`))).toBe(fingerprint(cdrOf(`${BASE},"cost":${other}`)));
  });

  it('is the same for taxes in another order', () => {
    const [one, other] = [cdrOf(`${BASE},"taxes":"1, vat,7"`), cdrOf(`${BASE},"taxes":"vat ,7,1"`)];
    expect(fingerprint(one)).toBe(fingerprint(other));
    expect(differences(one, other)).toEqual([]);
  });

  it('is the same for texts that are stored as the same text', () => {
    const [one, other] = [cdrOf(`${BASE},"note":"a\\u0000"`), cdrOf(`${BASE},"note":"a\\u0001"`)];
    expect(fingerprint(one)).toBe(fingerprint(other));
  });

  it('is another one for another value of any field', () => {
    const seen = new Set([
      fingerprint(base),
      ...cdrFields.map((name) => fingerprint({ ...base, [name]: OTHER[name] })),
    ]);
    expect(seen.size).toBe(1 + cdrFields.length);
    expect(cdrFields.length).toBe(Object.keys(OTHER).length);
  });

  it('is another one where values have only changed places', () => {
    const [one, other] = [
      { ...base, stype: 'snumber', snumber: '' },
      { ...base, stype: '', snumber: 'snumber' },
    ];
    expect(fingerprint(one)).not.toBe(fingerprint(other));
    expect(fingerprint({ ...base, taxes: '1,2' })).not.toBe(fingerprint({ ...base, taxes: '12' }));
  });

  it('never changes from one release to the next: stored calls are compared with it', () => {
    const written =
      '[1,"uniqueid","7.1","machine","1","start",100,"scustomer",5,"dcustomer",5,"callid","7.1","currency","USD",' +
      '"end",100,"talktime",0,"totaltime",0]';
    expect(fingerprint(base)).toBe(hash('sha256', written, 'hex'));
    const more = written
      .replace('"currency"', '"cost","0.5","currency"')
      .replace(',0]', ',0,"update_balance",0]');
    expect(fingerprint({ ...base, cost: '0.5', update_balance: 0 })).toBe(hash('sha256', more, 'hex'));
  });
});

it('the fingerprint of a call is that of its JSON, whatever its texts are', () => {
  const text = fc.oneof(
    fc.string({ unit: 'binary', minLength: 1 }),
    fc.string({ unit: 'binary-ascii', minLength: 1, maxLength: 6000 }),
  );
  /** The base call says nothing of any other field but by its own values. */
  const said: readonly string[] = [
    'dcustomer',
    'callid',
    'channel',
    'currency',
    'end',
    'note',
    'talktime',
    'totaltime',
  ];
  fuzz(
    fc.property(text, text, fc.nat(), (channel, note, start) => {
      const cdr = { ...base, start, channel, note };
      const first = ['uniqueid', 'machine', 'start', 'scustomer'] as const;
      const names = cdrFields.filter((name) => said.includes(name) || first.some((one) => one === name));
      const content = JSON.stringify([1, ...names.flatMap((name) => [name, cdr[name]])]);
      expect(fingerprint(cdr)).toBe(hash('sha256', content, 'hex'));
    }),
  );
});

describe('the fingerprint of a call of a feed', () => {
  const account = { parameter: 'scustomer' as const, kind: 'account', key: '4711', at: 100 };
  const peer = { parameter: 'peer' as const, name: 'carrier' };
  const feed = { source: 'fs-1', lookups: [account, peer] };

  it('is the same whoever its key belongs to, and whatever peer has the name', () => {
    const others = { ...base, scustomer: 8, peer: 9 };
    expect(fingerprint(others, feed)).toBe(fingerprint(base, feed));
    expect(fingerprint(others, { ...feed, lookups: [peer, account] })).toBe(fingerprint(base, feed));
  });

  it('is another for every other value, feed, kind, key or name, and never that of a call in the contract’s form', () => {
    const looked = new Set<string>(['scustomer', 'peer']);
    const others = cdrFields.filter((name) => !looked.has(name));
    const prints = [
      fingerprint(base),
      fingerprint({ ...base, scustomer: 0 }),
      fingerprint(base, feed),
      fingerprint(base, { source: 'fs-1', lookups: [] }),
      fingerprint(base, { ...feed, source: 'fs-2' }),
      fingerprint(base, { ...feed, lookups: [{ ...account, key: '4712' }, peer] }),
      fingerprint(base, { ...feed, lookups: [{ ...account, kind: 'trunk' }, peer] }),
      fingerprint(base, { ...feed, lookups: [{ ...account, kind: 'account4', key: '711' }, peer] }),
      fingerprint(base, { ...feed, lookups: [{ ...account, parameter: 'dcustomer' }, peer] }),
      fingerprint(base, { ...feed, lookups: [account, { ...peer, name: 'other' }] }),
      ...others.map((name) => fingerprint({ ...base, [name]: OTHER[name] }, feed)),
    ];
    expect(new Set(prints).size).toBe(prints.length);
  });

  it('never changes from one release to the next', () => {
    const written =
      '[1,"source","fs-1","uniqueid","7.1","machine","1","start",100,"scustomer",["account","4711"],"dcustomer",5,"callid","7.1","currency","USD","end",100,"peer",["carrier"],"talktime",0,"totaltime",0]';
    expect(fingerprint(base, feed)).toBe(hash('sha256', written, 'hex'));
  });
});

describe('the differences between two calls', () => {
  it.each(cdrFields)('name %s where it differs, with both values', (name) => {
    const found = differences(base, { ...base, [name]: OTHER[name] });
    expect(found).toEqual([{ parameter: name, stored: base[name], received: OTHER[name] }]);
  });

  it('are named in the order of the contract', () => {
    expect(differences(base, OTHER).map(({ parameter }) => parameter)).toEqual(cdrFields);
  });
});
