import { expect, it } from 'vitest';
import { type FoundReferences, referencesIn } from '../../src/store/persist/references.ts';
import { BILLING } from '../support/billing.ts';

const found = (rates: [string, string][]): FoundReferences => ({
  currencies: JSON.stringify(rates),
  customers: [[1, 'USD']],
  peers: [],
  taxes: [],
  invoices: [],
});
const ratesIn = (rates: [string, string][]) => referencesIn(found(rates), BILLING).currencies;

it('makes no rates anew while all currencies are as they were', () => {
  const many = Array.from({ length: 150 }, (_, place): [string, string] => [`C${place}`, `1.${place}`]);
  const first = ratesIn(many);
  expect(first.size).toBe(150);
  expect(ratesIn(many)).toBe(first);
});

it.each<[string, [string, string][]]>([
  [
    'has another rate',
    [
      ['USD', '1'],
      ['EUR', '1.09'],
    ],
  ],
  [
    'is new',
    [
      ['USD', '1'],
      ['EUR', '1.08'],
      ['GBP', '1.3'],
    ],
  ],
  ['is gone', [['USD', '1']]],
  ['of all is gone', []],
])('makes them anew where one %s', (_, later) => {
  ratesIn([
    ['USD', '1'],
    ['EUR', '1.08'],
  ]);
  expect([...ratesIn(later)].map(([code, rate]) => [code, String(rate)])).toEqual(later);
});
