import { EventEmitter } from 'node:events';
import { PassThrough } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import type { Channel } from 'amqplib';
import { expect, it } from 'vitest';
import { publishInBlocks, type TakeDelivery, takeUnsorted } from '../../src/broker/amqplib.ts';

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

const publishing = (frameMax = 4096) => {
  const written: Buffer[] = [];
  const connection = {
    frameMax,
    stream: new PassThrough(),
    sendBytes: (bytes: Buffer) => void written.push(Buffer.from(bytes)),
  };
  const channel = { ch: 1, connection, sendMessage: (..._message: unknown[]) => true };
  return { channel, written };
};
const inBlocks = (channel: object) => publishInBlocks(channel as unknown as Channel);
const message = { exchange: 'e', routingKey: 'r', mandatory: true };

it('writes what is published in one turn at once, in order, and a message that exceeds the block as well', async () => {
  const { channel, written } = publishing();
  inBlocks(channel);
  const bodies = ['first', 'x'.repeat(70_000), 'last'];
  for (const body of bodies) channel.sendMessage(message, message, Buffer.from(body));
  await turn();
  expect(written.length).toBeLessThanOrEqual(3);
  const all = Buffer.concat(written).toString('latin1');
  expect(all.indexOf('first')).toBeLessThan(all.indexOf('xxx'));
  expect(all.indexOf('xxx')).toBeLessThan(all.indexOf('last'));
  expect(all.split('x').length - 1).toBe(70_000);
});

it('writes nothing more to a connection that has ended', async () => {
  const { channel, written } = publishing();
  inBlocks(channel);
  channel.sendMessage(message, message, Buffer.from('late'));
  channel.connection.stream.destroy();
  await turn();
  expect(written).toEqual([]);
});

it('throws where amqplib does not publish as it did', () => {
  const { channel } = publishing();
  expect(() => inBlocks({ ...channel, sendMessage: undefined })).toThrow('2.3.1');
  expect(() => inBlocks({ ...channel, connection: undefined })).toThrow('2.3.1');
});

it('throws where frames have no room for a body, which would be split for ever', () => {
  expect(() => inBlocks(publishing(8).channel)).toThrow('frames of 8 bytes');
});
