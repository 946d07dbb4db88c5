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
