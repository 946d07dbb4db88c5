import fc from 'fast-check';
import { expect, it } from 'vitest';
import { fingerprint } from '../../src/domain/cdr.ts';
import { decide } from '../../src/domain/decide.ts';
import type { Lookup } from '../../src/domain/lookup.ts';
import { type FoundLookups, keyAt, resolve, unresolvedErrors } from '../../src/domain/resolve.ts';
import { call, references } from './references.ts';

const cdr = call({ scustomer: 0, dcustomer: 0 });
const { start } = cdr;

function ofFeed(...lookups: Lookup[]) {
  const feed = { source: 'fs-1', lookups };
  return { cdr, feed, fingerprint: fingerprint(cdr, feed), validationOnly: false, submittedBy: 'switch' };
}

const account = (parameter: 'scustomer' | 'dcustomer', key: string): Lookup => ({
  parameter,
  kind: 'account',
  key,
  at: start,
});

function found(customers: Record<string, number[]>, peers: Record<string, number[]> = {}): FoundLookups {
  return {
    customers: new Map(Object.entries(customers).map(([key, ids]) => [keyAt('account', key, start), ids])),
    peers: new Map(Object.entries(peers)),
  };
}

it('a call has what was found for it, each time that is looked up anew', () => {
  const asked = ofFeed(account('scustomer', 'a'), account('dcustomer', 'b'), {
    parameter: 'peer',
    name: 'p',
  });
  const first = resolve(asked, found({ a: [1], b: [2] }, { p: [5] }));
  expect(first.cdr).toMatchObject({ scustomer: 1, dcustomer: 2, peer: 5 });
  expect(unresolvedErrors(first)).toEqual([]);
  const second = resolve(first, found({ a: [3], b: [] }, { p: [5, 6] }));
  expect(second.cdr).toMatchObject({ scustomer: 3, dcustomer: 0, peer: 0 });
  expect(unresolvedErrors(second).map(({ key }) => key)).toEqual(['dcustomer', 'peer']);
  expect(asked.cdr).toEqual(cdr);
});

it('a call that came by no feed, or that has nothing to look up, stays as it is', () => {
  const { feed, ...plain } = ofFeed();
  expect(resolve(plain, found({}))).toBe(plain);
  expect(ofFeed()).toEqual(resolve(ofFeed(), found({})));
});

it('one key of both customers that nobody has is told once', () => {
  const both = (other: string) =>
    unresolvedErrors(resolve(ofFeed(account('scustomer', 'a'), account('dcustomer', other)), found({}))).map(
      ({ key }) => key,
    );
  expect(both('a')).toEqual(['scustomer']);
  expect(both('b')).toEqual(['scustomer', 'dcustomer']);
});

it('a redelivery is a duplicate whatever its key belongs to by then, nobody or several included', () => {
  const ids = fc.array(fc.integer({ min: 1, max: 5 }), { maxLength: 3 });
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), ids, ids, (key, before, after) => {
      const asked = ofFeed(account('scustomer', key), account('dcustomer', key));
      const owners = (customers: number[]) => found({ [key]: customers });
      const stored = resolve(asked, owners(before));
      const again = resolve(asked, owners(after));
      const prints = new Map([[cdr.uniqueid, stored.fingerprint]]);
      expect(decide([again], prints, references())).toEqual([
        { kind: 'answer', outcome: { kind: 'duplicate' } },
      ]);
    }),
  );
});

it('what is told of a key holds no control character, whatever the key is', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (kind, key) => {
      const asked = ofFeed(
        { parameter: 'scustomer', kind, key, at: start },
        { parameter: 'peer', name: key },
      );
      for (const { message } of unresolvedErrors(resolve(asked, found({})))) {
        expect(message).not.toMatch(/[\p{Cc}\p{Cs}]/u);
        expect(message.length).toBeLessThan(1000);
      }
    }),
  );
});
