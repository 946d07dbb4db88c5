import { expect, it } from 'vitest';
import { redeliveriesSince } from '../../src/broker/delivery.ts';

/** `x-delivery-count` at the first deliveries from the queue of dead letters. */
it.each([
  { broker: '3.10', limit: 20, counts: [0, 1, 2, 3] },
  { broker: '4.0', limit: 20, counts: [21, 1, 2, 3] },
  { broker: '4 if the count continues', limit: 20, counts: [21, 22, 23, 24] },
])('counts failed deliveries since a message was dead-lettered on RabbitMQ $broker', ({ limit, counts }) => {
  const since = counts.map((redeliveries) =>
    redeliveriesSince({ redeliveries, reason: 'delivery_limit' }, limit),
  );
  expect(since).toEqual([0, 1, 2, 3]);
});

it('at a delivery limit of 1 the second failed delivery still counts as one', () => {
  const since = [2, 1, 2, 3, 4].map((redeliveries) =>
    redeliveriesSince({ redeliveries, reason: 'delivery_limit' }, 1),
  );
  expect(since).toEqual([0, 1, 0, 1, 2]);
});
