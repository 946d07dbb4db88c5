import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import type { Channel } from 'amqplib';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { assembleUsual } from '../../../src/broker/decoding/usual-messages.ts';
import { fuzz } from '../../domain/fuzzing.ts';

interface Frame {
  id?: number;
  channel: number;
  size?: number;
  fields?: object;
  content?: Buffer;
}

type FrameChannel = Channel & { accept: (frame: Frame) => void; closeWithError: (...why: unknown[]) => void };

const library = (file: string) =>
  createRequire(import.meta.url)(
    fileURLToPath(new URL(`../../../node_modules/amqplib/lib/${file}.js`, import.meta.url)),
  );
const { Channel: AmqplibChannel } = library('channel') as {
  Channel: new (connection: object) => FrameChannel;
};
const { BasicDeliver, BasicReturn, BasicProperties } = library('defs') as {
  BasicDeliver: number;
  BasicReturn: number;
  BasicProperties: number;
};

/** What a channel hands out, and with what it would close. */
function open() {
  const channel = new AmqplibChannel({});
  const told: unknown[] = [];
  channel.closeWithError = (id, reason, code) => void told.push({ id, reason, code });
  for (const event of ['delivery', 'return'])
    channel.on(event, ({ fields, properties, content }) =>
      told.push({ event, fields, properties, content: String(content) }),
    );
  return { channel, told };
}

const deliver = (tag: number): Frame => ({ id: BasicDeliver, channel: 1, fields: { deliveryTag: tag } });
const header = (size: number): Frame => ({ id: BasicProperties, channel: 1, size, fields: { size } });
const content = (size: number): Frame => ({ channel: 1, content: Buffer.alloc(size, 'x') });

/** Messages as a broker sends them, and frames that no broker sends. */
const frames = fc
  .array(
    fc.oneof(
      { weight: 6, arbitrary: fc.tuple(fc.nat(9), fc.nat(9)).map(([tag, size]) => whole(tag, [size])) },
      {
        weight: 3,
        arbitrary: fc
          .tuple(fc.nat(9), fc.array(fc.integer({ min: 1, max: 9 }), { maxLength: 4 }))
          .map((of) => whole(...of)),
      },
      { weight: 1, arbitrary: fc.nat(9).map((tag) => [deliver(tag)]) },
      { weight: 1, arbitrary: fc.nat(9).map((size) => [header(size)]) },
      { weight: 1, arbitrary: fc.nat(9).map((size) => [content(size)]) },
      {
        weight: 1,
        arbitrary: fc.constant([{ id: BasicReturn, channel: 1, fields: {} }, header(2), content(2)]),
      },
    ),
  )
  .map((parts): Frame[] => parts.flat());

function whole(tag: number, sizes: readonly number[]): Frame[] {
  const size = sizes.reduce((sum, each) => sum + each, 0);
  return [deliver(tag), header(size), ...(size === 0 ? [] : sizes.map(content))];
}

it('messages are those that amqplib makes, and so is what is told of frames that make none', () => {
  fuzz(
    fc.property(frames, (sent) => {
      const [ours, theirs] = [open(), open()];
      assembleUsual(ours.channel);
      for (const frame of sent) {
        for (const { channel } of [ours, theirs]) channel.accept(frame);
        // The broker is told, and sends no more frames of messages.
        if (theirs.told.some((told) => 'reason' in (told as object))) break;
      }
      expect(ours.told.slice(0, theirs.told.length)).toEqual(theirs.told);
      expect(ours.told.length).toBe(theirs.told.length);
    }),
  );
});

it('an exception of a listener closes the channel, and the next message is handed out', () => {
  const { channel, told } = open();
  assembleUsual(channel);
  channel.once('delivery', () => {
    throw new Error('no');
  });
  for (const frame of [...whole(1, [3]), ...whole(2, [3])]) channel.accept(frame);
  expect(told).toMatchObject([
    { event: 'delivery', fields: { deliveryTag: 1 } },
    { code: 541 },
    { fields: { deliveryTag: 2 } },
  ]);
});

it('throws where amqplib does not take frames as it did', () => {
  expect(() => assembleUsual({} as Channel)).toThrow('"handleMessage"');
});
