import { expect, it } from 'vitest';
import { keepsOwnDeaths, redeliveriesSince } from '../../src/broker/delivery.ts';

/** `x-delivery-count` at the first deliveries from the queue of dead letters. */
it.each([
  { broker: '3.10', limit: 20, counts: [0, 1, 2, 3] },
  { broker: '4.0', limit: 20, counts: [21, 1, 2, 3] },
  { broker: '4 if the count continues', limit: 20, counts: [21, 22, 23, 24] },
])('counts failed deliveries since a message was dead-lettered on RabbitMQ $broker', ({ limit, counts }) => {
  const since = counts.map((redeliveries) =>
    redeliveriesSince({ redeliveries, reason: 'delivery_limit', exchange: null }, limit),
  );
  expect(since).toEqual([0, 1, 2, 3]);
});

it('at a delivery limit of 1 the second failed delivery still counts as one', () => {
  const since = [2, 1, 2, 3, 4].map((redeliveries) =>
    redeliveriesSince({ redeliveries, reason: 'delivery_limit', exchange: null }, 1),
  );
  expect(since).toEqual([0, 1, 0, 1, 2]);
});

it.each([
  ['3.10.8', false],
  ['3.13.7', false],
  ['4.0.5', true],
  ['4.3.0-rc.1', true],
  ['10.0.0', true],
  ['', false],
  ['unknown', false],
])('believes the record of a death from RabbitMQ 4 on: "%s"', (version, isBelieved) => {
  expect(keepsOwnDeaths(version)).toBe(isBelieved);
});
