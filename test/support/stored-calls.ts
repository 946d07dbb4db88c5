import { expect } from 'vitest';
import { type BillingDatabase, billingDatabase } from './persisting.ts';

/** When the first calls of `storedCalls` start. */
export const START = 1_700_000_000;
export const START_TEXT = '2023-11-14T22:13:20Z';

/** A database with five calls of two customers: numbers in several forms, a credit, and one that moved nothing. */
export async function storedCalls(name: string): Promise<BillingDatabase> {
  const db = await billingDatabase(name);
  const outcomes = await db.persist([
    { uniqueid: 'a', callid: 'both', cnumber: '0031612345678', dnumber: '+44 20', cost: '10', taxes: '1,2' },
    { uniqueid: 'b', callid: 'both', start: START + 60, dnumber: '+31612345678', cost: '1' },
    { uniqueid: 'c', scustomer: 2, start: START + 120, snumber: '31612345678', machine: 'm-2', cost: '200' },
    { uniqueid: 'd', scustomer: 2, start: START + 120, cost: '-3', currency: 'EUR' },
    { uniqueid: 'e', start: START - 600, update_balance: 0, update_invoices: 0, cost: '5' },
  ]);
  expect(outcomes.map(({ kind }) => kind)).toEqual(outcomes.map(() => 'accepted'));
  return db;
}
