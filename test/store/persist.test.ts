import fc from 'fast-check';
import { expect, it } from 'vitest';
import { classifyFailure, describeFailure } from '../../src/store/failures.ts';
import { persist } from '../../src/store/persist/persist.ts';
import type { Sql, Statement } from '../../src/store/sql.ts';
import { BILLING } from '../support/billing.ts';
import { admitted } from '../support/persisting.ts';

const FOUND = {
  stored: [],
  currencies: JSON.stringify([['USD', '1']]),
  customers: [
    [0, 'USD'],
    [1, 'USD'],
  ],
  peers: [],
  taxes: [],
  invoices: [],
};

/** A database that takes every call and stores none, as a trigger on cdrs may do. */
const storesNothing: Sql = async <Row>({ name }: Statement) =>
  [name === 'persist.look-up' ? { found: JSON.stringify(FOUND) } : { lost: ['u-1'] }] as Row[];

it('tells the operator that the database leaves out a call', async () => {
  const error = await persist(storesNothing, [admitted({})], BILLING).catch((thrown: unknown) => thrown);
  expect(describeFailure(error)).toBe('the database silently dropped rows it was given');
  expect(classifyFailure(error)).toBe('message');
});

/** A database in which other workers store calls, by their fingerprints, after they were looked up. */
function storedMeanwhile(calls: ReadonlyMap<string, string>): Sql {
  let isLater = false;
  return async <Row>({ name }: Statement, values: readonly unknown[]) => {
    if (name === 'persist.look-up')
      return [{ found: JSON.stringify({ ...FOUND, stored: isLater ? [...calls] : [] }) }] as Row[];
    // They have been pruned since: what they hold can no longer be told.
    if (name === 'persist.bills' || name === 'persist.stored-calls') return [];
    isLater = true;
    const written = String(values[0])
      .split('\n')
      .map((line) => line.split('\t')[0] ?? '');
    return [{ lost: written.filter((uniqueid) => calls.has(uniqueid)) }] as Row[];
  };
}

const fates = ['stored', 'stored elsewhere', 'stored otherwise', 'repeat', 'refused', 'forged'] as const;
const OTHER_FINGERPRINT = '0'.repeat(64);

it('answers each message of a batch in its place, whatever becomes of its neighbours', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.constantFrom(...fates), { maxLength: 12 }), async (batch) => {
      const elsewhere = new Map<string, string>();
      let first = 0;
      const messages = batch.map((fate, place) => {
        if (fate.startsWith('stored')) first = place;
        const uniqueid = `u-${fate === 'repeat' ? first : place}`;
        if (fate === 'refused') return admitted({ uniqueid, cost: 'free' });
        if (fate === 'forged') return admitted({ uniqueid, auth_password: 'wrong' });
        const message = admitted({ uniqueid });
        if (message.kind !== 'call') throw new Error('expected a call');
        if (fate === 'stored elsewhere') elsewhere.set(uniqueid, message.call.fingerprint);
        if (fate === 'stored otherwise') elsewhere.set(uniqueid, OTHER_FINGERPRINT);
        return message;
      });
      const seen = new Set<string | null>();
      const expected = messages.map((message) => {
        if (message.kind === 'decided') return message.outcome.kind;
        const stored = elsewhere.get(message.uniqueid ?? '');
        if (stored === OTHER_FINGERPRINT) return 'conflict';
        const isFirst = stored === undefined && !seen.has(message.uniqueid);
        seen.add(message.uniqueid);
        return isFirst ? 'accepted' : 'duplicate';
      });
      const outcomes = await persist(storedMeanwhile(elsewhere), messages, BILLING);
      expect(outcomes.map(({ kind }) => kind)).toEqual(expected);
    }),
  );
});
