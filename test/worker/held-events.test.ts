import { expect, it } from 'vitest';
import type { Held } from '../../src/domain/held.ts';
import { eventsOfHeld } from '../../src/worker/held-events.ts';

const held = (cause: Held['cause'], row: string | null, why: string): Held => ({
  kind: 'held',
  cause,
  row,
  why,
});

it('tells of a lock with its row and its holder, once for all rows of a batch', () => {
  const by = 'locked by process 7 (billing)';
  expect(
    eventsOfHeld([
      held('lock', 'customer 1', by),
      held('lock', 'customer 2', by),
      held('lock', 'customer 1', by),
    ]),
  ).toEqual([
    { kind: 'trouble', cause: 'lock', description: `customer 1: ${by} (and 1 more); its calls wait` },
  ]);
});

it('tells apart what is locked and what is refused, and names no row where none is known', () => {
  expect(
    eventsOfHeld([held('message', 'customer 3', 'kept by a trigger'), held('lock', null, 'a key is held')]),
  ).toEqual([
    { kind: 'trouble', cause: 'lock', description: 'a key is held; its calls wait' },
    { kind: 'trouble', cause: 'message', description: 'customer 3: kept by a trigger; its calls wait' },
  ]);
  expect(eventsOfHeld([])).toEqual([]);
});
