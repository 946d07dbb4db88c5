import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeMessage, type MessageFields, roomFor } from '../../../src/broker/encoding/message-frames.ts';

/** amqplib's own encoders. */
const library = (file: string) =>
  createRequire(import.meta.url)(
    fileURLToPath(new URL(`../../../node_modules/amqplib/lib/${file}.js`, import.meta.url)),
  );
const defs = library('defs') as {
  BasicPublish: number;
  BasicProperties: number;
  encodeMethod: (id: number, channel: number, fields: object) => Buffer;
  encodeProperties: (id: number, channel: number, size: number, fields: object) => Buffer;
};
const { makeBodyFrame } = library('frame') as {
  makeBodyFrame: (channel: number, body: Buffer) => Buffer;
};

const CHANNEL = 258;
const FRAME_MAX = 4096;

function byAmqplib(fields: MessageFields, body: Buffer): Buffer {
  const frames = [
    defs.encodeMethod(defs.BasicPublish, CHANNEL, fields),
    defs.encodeProperties(defs.BasicProperties, CHANNEL, body.length, fields),
  ];
  for (let at = 0; at < body.length; at += FRAME_MAX - 8)
    frames.push(makeBodyFrame(CHANNEL, body.subarray(at, at + FRAME_MAX - 8)));
  return Buffer.concat(frames);
}

/** Into memory with other bytes in it, which ends where there is no more room. */
function encoded(fields: MessageFields, body: Buffer, before = 3): Buffer {
  const out = Buffer.alloc(before + roomFor(fields, body, FRAME_MAX), 0xaa);
  return out.subarray(before, encodeMessage(out, before, CHANNEL, fields, body, FRAME_MAX));
}

const anyText = (maxBytes: number) =>
  fc.string({ unit: 'binary', maxLength: maxBytes }).filter((text) => Buffer.byteLength(text) <= maxBytes);
const short = fc.option(anyText(255), { nil: undefined });
const headerValue = fc.oneof(
  anyText(2000),
  fc.maxSafeInteger(),
  fc.integer({ min: -40_000, max: 40_000 }),
  fc.double({ noNaN: true, min: -1e6, max: 1e6 }),
  fc.boolean(),
  fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
  fc.constant(undefined),
);
const fields: fc.Arbitrary<MessageFields> = fc.record({
  exchange: anyText(255),
  routingKey: anyText(255),
  mandatory: fc.boolean(),
  contentType: short,
  headers: fc.option(
    fc.dictionary(anyText(255), headerValue, { maxKeys: 6 }).map((each): MessageFields['headers'] => each),
    { nil: undefined },
  ),
  deliveryMode: fc.constantFrom(undefined, 1, 2),
  correlationId: short,
  replyTo: short,
  messageId: short,
  type: short,
  appId: short,
});
const plain = { exchange: 'cdrs', routingKey: 'cdrs.create', mandatory: true };

describe('a message as frames', () => {
  it('is what amqplib makes of it, byte for byte', () => {
    fc.assert(
      fc.property(fields, fc.uint8Array({ maxLength: 9000 }), (message, bytes) => {
        const body = Buffer.from(bytes);
        expect(encoded(message, body).equals(byAmqplib(message, body))).toBe(true);
      }),
      { numRuns: 300 },
    );
  });

  it('splits a body that does not fit one frame', () => {
    for (const length of [0, 1, FRAME_MAX - 8, FRAME_MAX - 7, 2 * (FRAME_MAX - 8), 10_000]) {
      const body = Buffer.alloc(length, 'x');
      expect(encoded(plain, body)).toEqual(byAmqplib(plain, body));
    }
  });

  it('takes inherited headers, in which amqplib keeps those that it is given', () => {
    const headers = Object.create({ uniqueid: '1.1', gone: undefined, invoice: 7 });
    expect(encoded({ ...plain, headers }, Buffer.alloc(0))).toEqual(
      byAmqplib({ ...plain, headers }, Buffer.alloc(0)),
    );
  });

  it('has any bytes as correlation id', () => {
    const correlationId = Buffer.from([0xff, 0, 0x80]);
    const text = encoded({ ...plain, correlationId: 'abc' }, Buffer.alloc(0)).toString('latin1');
    const bytes = encoded({ ...plain, correlationId }, Buffer.alloc(0)).toString('latin1');
    expect(bytes).toBe(text.replace('abc', correlationId.toString('latin1')));
  });

  it.each([
    { routingKey: 'x'.repeat(256) },
    { exchange: '€'.repeat(86) },
    { messageId: '€'.repeat(255) },
    { correlationId: Buffer.alloc(256) },
    { headers: { ['n'.repeat(256)]: 1 } },
  ])('throws for a text that AMQP cannot hold: %j', (wrong) => {
    expect(() => encoded({ ...plain, ...wrong }, Buffer.alloc(0))).toThrow('255 bytes');
  });

  it('throws for headers that do not fit a frame', () => {
    expect(() => encoded({ ...plain, headers: { long: 'x'.repeat(65_600) } }, Buffer.alloc(0))).toThrow(
      'headers of more than',
    );
  });
});
