import { expect, it } from 'vitest';
import { bothValues } from '../../src/dead-letters/format.ts';
import type { DeadLetterView } from '../../src/dead-letters/history.ts';
import { call } from '../domain/references.ts';

function viewOf(more: Partial<DeadLetterView>): DeadLetterView {
  const stored = { call: call({ note: 'n' }), source: 'fs-1' };
  const differences = [
    { parameter: 'source', stored: 'fs-1', received: 'sbc-1' },
    { parameter: 'cost', stored: '10', received: '12' },
  ];
  return { call: null, stored, differences, ...more } as unknown as DeadLetterView;
}

it('the record of a feed shows what the map made of it beside the stored call, where they differ', () => {
  expect(bothValues(viewOf({}), 'source')).toEqual({ received: '"sbc-1"', stored: '"fs-1"' });
  expect(bothValues(viewOf({}), 'cost')).toEqual({ received: '"12"', stored: '"10"' });
  expect(bothValues(viewOf({}), 'note')).toEqual({ received: '', stored: '"n"' });
});

it('a call in the contract’s form shows what it says itself', () => {
  const view = viewOf({ call: { cost: '12.0' } });
  expect(bothValues(view, 'cost').received).toBe('"12.0"');
  expect(bothValues(view, 'note').received).toBe('');
  expect(bothValues(viewOf({ stored: null }), 'cost').stored).toBe('');
});
