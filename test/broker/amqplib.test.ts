import { EventEmitter } from 'node:events';
import type { Channel } from 'amqplib';
import { expect, it } from 'vitest';
import { takeUnsorted } from '../../src/broker/amqplib.ts';

const channelListeningFor = (...events: string[]) => {
  const channel = new EventEmitter();
  for (const event of events) channel.on(event, () => undefined);
  return channel as unknown as Channel;
};

it('takes deliveries and cancellations from amqplib', () => {
  const channel = channelListeningFor('delivery', 'cancel', 'close');
  takeUnsorted(channel);
  expect(channel.eventNames()).toEqual(['close']);
});

it('throws where amqplib does not sort them as it did', () => {
  expect(() => takeUnsorted(channelListeningFor('cancel'))).toThrow('"delivery"');
  expect(() => takeUnsorted(channelListeningFor('delivery'))).toThrow('"cancel"');
});
