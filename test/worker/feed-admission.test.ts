import { describe, expect, it } from 'vitest';
import type { AuthResult } from '../../src/auth/verifier.ts';
import type { Confinement } from '../../src/domain/confinement.ts';
import type { Skipped } from '../../src/domain/submission.ts';
import type { Admitted } from '../../src/worker/admission.ts';
import { admitRecord, admitVouchedRecord } from '../../src/worker/feed-admission.ts';
import { answersOf } from '../domain/admitting.ts';
import { feedIn } from '../sources/feeds.ts';
import { NO_PROPERTIES } from '../support/requests.ts';

const FEED = feedIn(`fs:
  exchange: cdrs.from.fs
  as: switch-fs
  machines: [m-1, m-2]
  format: json
  skip: { leg: [b] }
  call:
    uniqueid: id
    machine: host
    start: { from: begin, time: s }
    scustomer: { from: account, lookup: account }
    cost: price
    peer: { from: trunk, lookup: peers, optional: true }
`);
const RECORD = { id: 'u-1', host: 'm-1', begin: '1790000000', account: '4711', price: '1.25', leg: 'a' };
const RULES = {
  maxBodyBytes: 65_536,
  keptBodyBytes: 4096,
  ignored: new Set<string>(),
  systemCurrency: 'USD',
};

const known = (role = 'system', confinement: Confinement | null = null): AuthResult => ({
  kind: 'ok',
  username: 'switch-fs',
  role,
  confinement,
});

function requestOf(record: object | string) {
  const body = Buffer.from(typeof record === 'string' ? record : JSON.stringify(record));
  return { body, bytes: body.length, properties: NO_PROPERTIES };
}

function admitAs(user: AuthResult, record: object | string): Admitted | Skipped {
  const admitted = admitRecord(requestOf(record), FEED, { ...RULES, identify: () => user });
  if (admitted instanceof Promise) throw new Error('this user is known at once');
  return admitted;
}

function answers(user: AuthResult, record: object | string): string[] {
  const admitted = admitAs(user, record);
  return admitted.kind === 'skipped' ? ['skipped'] : answersOf(admitted);
}

describe('a record', () => {
  it('becomes a call in the name of its feed and its user, to be completed by the store', () => {
    expect(admitAs(known(), { ...RECORD, trunk: 'carrier' })).toMatchObject({
      kind: 'call',
      uniqueid: 'u-1',
      source: 'fs',
      call: {
        cdr: { uniqueid: 'u-1', machine: 'm-1', start: 1_790_000_000, cost: '1.25', currency: 'USD' },
        submittedBy: 'switch-fs',
        validationOnly: false,
        feed: {
          source: 'fs',
          lookups: [
            { parameter: 'scustomer', kind: 'account', key: '4711', at: 1_790_000_000 },
            { parameter: 'peer', name: 'carrier' },
            { parameter: 'dcustomer', kind: 'account', key: '4711', at: 1_790_000_000 },
          ],
        },
      },
    });
  });

  it('is admitted alike when its user must be read first', async () => {
    const rules = { ...RULES, identify: async () => known() };
    const late = await admitRecord(requestOf(RECORD), FEED, rules);
    expect(late).toMatchObject({ kind: 'call', call: { submittedBy: 'switch-fs' } });
  });

  it('is left out by value, whoever its user is', () => {
    expect(admitAs({ kind: 'unauthenticated' }, { ...RECORD, leg: 'b' })).toEqual({
      kind: 'skipped',
      sequence: null,
      source: 'fs',
    });
  });

  it('has no say in who sent it', () => {
    const forged = { ...RECORD, auth_username: 'boss', auth_password: 'right', validation: '1' };
    expect(admitAs(known(), forged)).toMatchObject({
      kind: 'call',
      call: { submittedBy: 'switch-fs', validationOnly: false },
    });
  });

  it.each([
    ['an unknown user', { kind: 'unauthenticated' } as AuthResult, RECORD, ['401']],
    ['an operator', known('operator'), RECORD, ['402']],
    ['an unknown user, unreadable', { kind: 'unauthenticated' } as AuthResult, 'no JSON', ['401']],
    ['a field that is missing', known(), { ...RECORD, account: undefined }, ['400 scustomer']],
    ['a missing field that skips', known(), { ...RECORD, leg: undefined }, ['400']],
    ['an empty cost', known(), { ...RECORD, price: '' }, ['400 cost']],
    ['a cost with too many digits', known(), { ...RECORD, price: '0.1234567' }, ['400 cost']],
    ['no JSON', known(), 'no JSON', ['400']],
    ['another machine, and wrong', known(), { ...RECORD, host: 'm-3', price: 'x' }, ['402']],
  ])('of %s is refused', (_, user, record, expected) => {
    expect(answers(user, record)).toEqual(expected);
  });

  it.each([
    [['m-1'], ['m-1']],
    [['m-3'], []],
    [null, ['m-1', 'm-2']],
  ])('may name a machine that both the file and the user allow: %j', (machines, expected) => {
    const ofUser = { machines: machines && new Set(machines), customers: new Set([7]) };
    const admitted = admitAs(known('system', ofUser), RECORD);
    if (admitted.kind !== 'call') throw new Error('expected a call');
    expect([...(admitted.call.confinement?.machines ?? [])]).toEqual(expected);
    expect(admitted.call.confinement?.customers).toEqual(new Set([7]));
  });

  it.each([Buffer.from([0xff, 0xfe]), Buffer.from([0xc3, 0x28])])(
    'of bytes %j that are not UTF-8 is refused',
    (body) => {
      const request = { body, bytes: body.length, properties: NO_PROPERTIES };
      const admitted = admitRecord(request, FEED, { ...RULES, identify: () => known() });
      expect(admitted).toMatchObject({ kind: 'decided', outcome: { kind: 'rejected' } });
    },
  );
});

describe('a record that an operator vouches for', () => {
  const admit = (record: object, edits = {}) =>
    admitVouchedRecord(JSON.stringify(record), FEED, edits, requestOf(record), RULES);

  it('is confined to nothing', () => {
    expect(admit({ ...RECORD, host: 'm-3' })).toMatchObject({ kind: 'call', call: { confinement: null } });
  });

  it('takes corrections in place of what the map says, or cannot say', () => {
    const admitted = admit({ ...RECORD, account: undefined, price: 'x' }, { scustomer: '7', cost: '2' });
    expect(admitted).toMatchObject({
      kind: 'call',
      call: { cdr: { scustomer: 7, dcustomer: 7, cost: '2' }, feed: { lookups: [] } },
    });
    expect(admit({ ...RECORD, begin: 'x' }, { start: '1790000001' })).toMatchObject({
      call: { cdr: { start: 1_790_000_001 }, feed: { lookups: [{ at: 1_790_000_001 }, {}] } },
    });
  });

  it('is refused with words if the file leaves it out now', () => {
    const admitted = admit({ ...RECORD, leg: 'b' });
    expect(answersOf(admitted)).toEqual(['400']);
  });
});
