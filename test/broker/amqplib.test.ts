import { EventEmitter } from 'node:events';
import type { Channel } from 'amqplib';
import { expect, it } from 'vitest';
import { type TakeDelivery, takeUnsorted } from '../../src/broker/amqplib.ts';

const channelListeningFor = (...events: string[]) => {
  const channel = Object.assign(new EventEmitter(), {
    registerConsumer: (_tag: string, _take: TakeDelivery) => {},
  });
  for (const event of events) channel.on(event, () => undefined);
  return channel;
};
const take = (channel: object, onConsumed: (take: TakeDelivery) => void = () => {}) =>
  takeUnsorted(channel as unknown as Channel, onConsumed);

it('takes deliveries and cancellations from amqplib', () => {
  const channel = channelListeningFor('delivery', 'cancel', 'close');
  take(channel);
  expect(channel.eventNames()).toEqual(['close']);
});

it('hands deliveries to the function that was registered last, whatever their consumer tag', () => {
  const channel = channelListeningFor('delivery', 'cancel');
  const [taken, registered]: [string[], unknown[]] = [[], []];
  take(channel, (each) => registered.push(each));
  const takers = ['first', 'second'].map((name) => () => void taken.push(name));
  for (const [index, each] of takers.entries()) {
    channel.registerConsumer(`tag ${index}`, each);
    channel.emit('delivery', { fields: { consumerTag: 'of the one before' } });
  }
  expect(taken).toEqual(['first', 'second']);
  expect(registered).toEqual(takers);
});

it('throws where amqplib does not sort them as it did', () => {
  expect(() => take(channelListeningFor('cancel'))).toThrow('"delivery"');
  expect(() => take(channelListeningFor('delivery'))).toThrow('"cancel"');
  const renamed = { ...channelListeningFor('delivery', 'cancel'), registerConsumer: undefined };
  expect(() => take(Object.setPrototypeOf(renamed, EventEmitter.prototype))).toThrow('"registerConsumer"');
});
