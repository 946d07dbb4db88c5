import { expect, it } from 'vitest';
import { type ManagedRouting, queuesFor } from '../../src/broker/health/routing.ts';

const routing = (type: string, ...patterns: string[]): ManagedRouting => ({
  kind: 'managed',
  exchanges: [
    { name: 'front', type, arguments: {}, policy: 'kept' },
    { name: 'rest', type: 'fanout', arguments: {} },
  ],
  bindings: [
    ...patterns.map((routing_key) => ({
      source: 'front',
      destination: 'taken',
      destination_type: 'queue' as const,
      routing_key,
    })),
    // Exchanges that are bound to each other end no search.
    { source: 'rest', destination: 'front', destination_type: 'exchange', routing_key: '' },
    { source: 'rest', destination: 'left', destination_type: 'queue', routing_key: '' },
  ],
  policies: [{ name: 'kept', definition: { 'alternate-exchange': 'rest' } }],
});

it.each([
  ['topic', 'a.#', 'a', 'taken'],
  ['topic', 'a.#', 'a.b.c', 'taken'],
  ['topic', 'a.#', 'ab', 'left'],
  ['topic', '#.c', 'a.b.c', 'taken'],
  ['topic', 'a.*.c', 'a.b.c', 'taken'],
  ['topic', 'a.*', 'a.b.c', 'left'],
  ['topic', '*', 'a', 'taken'],
  ['topic', '#', '', 'taken'],
  ['direct', 'a', 'a', 'taken'],
  ['direct', 'a', 'b', 'left'],
  ['fanout', '', 'any', 'taken'],
])('a %s exchange bound by "%s" brings the key "%s" to the queue "%s"', (type, pattern, key, queue) => {
  expect([...queuesFor(routing(type, pattern), 'front', key)]).toEqual([queue]);
});

it('an exchange that does not exist brings nothing anywhere', () => {
  expect(queuesFor(routing('topic', '#'), 'nowhere', 'a').size).toBe(0);
});
