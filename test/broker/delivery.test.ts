import { expect, it } from 'vitest';
import { redeliveriesSince } from '../../src/broker/delivery.ts';

/** What RabbitMQ says at the first deliveries from the queue of what it gave up on. */
it.each([
  { broker: '3.10', limit: 20, counts: [0, 1, 2, 3] },
  { broker: '4.0', limit: 20, counts: [21, 1, 2, 3] },
  { broker: '4 where the count goes on', limit: 20, counts: [21, 22, 23, 24] },
])('deliveries since another queue gave a message up are told on RabbitMQ $broker', ({ limit, counts }) => {
  const since = counts.map((redeliveries) =>
    redeliveriesSince({ redeliveries, reason: 'delivery_limit' }, limit),
  );
  expect(since).toEqual([0, 1, 2, 3]);
});

it('at the smallest limit a message still comes to be one that was delivered more than once', () => {
  const since = [2, 1, 2, 3, 4].map((redeliveries) =>
    redeliveriesSince({ redeliveries, reason: 'delivery_limit' }, 1),
  );
  expect(since).toEqual([0, 1, 0, 1, 2]);
});
