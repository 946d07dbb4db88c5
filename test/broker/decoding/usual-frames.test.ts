import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeUsual } from '../../../src/broker/decoding/usual-frames.ts';
import { fuzz } from '../../domain/fuzzing.ts';
import { contentHeader, frame } from '../../support/raw-amqp.ts';

const library = (file: string) =>
  createRequire(import.meta.url)(
    fileURLToPath(new URL(`../../../node_modules/amqplib/lib/${file}.js`, import.meta.url)),
  );
const { parseFrame, decodeFrame } = library('frame') as {
  parseFrame: (bytes: Buffer, max: number) => object | false;
  decodeFrame: (frame: object | false) => unknown;
};
const defs = library('defs') as {
  BasicDeliver: number;
  BasicAck: number;
  BasicNack: number;
  BasicProperties: number;
  encodeMethod: (id: number, channel: number, fields: object) => Buffer;
  encodeProperties: (id: number, channel: number, size: number, fields: object) => Buffer;
};

const byAmqplib = (bytes: Buffer) => decodeFrame(parseFrame(bytes, 0));

/** Decoded from between other bytes. */
function usual(bytes: Buffer) {
  const around = Buffer.concat([Buffer.of(1, 2, 3), bytes, Buffer.of(0xce, 5)]);
  return decodeUsual(around, 3, 3 + bytes.length);
}

const text = fc
  .oneof(fc.constantFrom('', 'cdrs', 'application/json'), fc.string({ unit: 'binary', maxLength: 80 }))
  .filter((each) => Buffer.byteLength(each) < 256);
const maybe = <Value>(value: fc.Arbitrary<Value>) => fc.option(value, { nil: undefined });
const header = fc.oneof(text, fc.boolean(), fc.maxSafeInteger(), fc.integer({ min: -40_000, max: 40_000 }));
const tag = fc.nat({ max: Number.MAX_SAFE_INTEGER });

describe('a usual frame', () => {
  it('is decoded as amqplib does it: a delivery', () => {
    const fields = fc.record({
      consumerTag: text,
      deliveryTag: tag,
      redelivered: fc.boolean(),
      exchange: text,
      routingKey: text,
    });
    fuzz(
      fc.property(fields, fc.nat(65_535), (given, channel) => {
        const bytes = defs.encodeMethod(defs.BasicDeliver, channel, given);
        expect(usual(bytes)).toEqual(byAmqplib(bytes));
        expect(usual(bytes)).toMatchObject({ channel });
      }),
    );
  });

  it('is decoded as amqplib does it: a confirm', () => {
    fuzz(
      fc.property(tag, fc.boolean(), (deliveryTag, multiple) => {
        const bytes = defs.encodeMethod(defs.BasicAck, 1, { deliveryTag, multiple });
        expect(usual(bytes)).toEqual(byAmqplib(bytes));
      }),
    );
  });

  it('is decoded as amqplib does it: properties', () => {
    const fields = fc.record({
      contentType: maybe(text),
      headers: maybe(
        fc.dictionary(
          text.filter((name) => name !== '__proto__'),
          header,
          { maxKeys: 5 },
        ),
      ),
      deliveryMode: maybe(fc.constantFrom(1, 2)),
      correlationId: maybe(text),
      replyTo: maybe(text),
      messageId: maybe(text),
      timestamp: maybe(tag),
      type: maybe(text),
      appId: maybe(text),
    });
    fuzz(
      fc.property(fields, fc.nat(), (given, size) => {
        const bytes = defs.encodeProperties(defs.BasicProperties, 1, size, given);
        const hasAny = Object.values(given).some((value) => value !== undefined);
        expect(usual(bytes)).toEqual(hasAny ? byAmqplib(bytes) : null);
      }),
    );
  });

  it('is decoded as amqplib does it: content', () => {
    const bytes = frame(3, 7, Buffer.from('{}'));
    expect(usual(bytes)).toEqual(byAmqplib(bytes));
  });

  it('is left to amqplib if it is anything else', () => {
    const rare = {
      contentEncoding: 'gzip',
      priority: 1,
      expiration: '1',
      userId: 'u',
      clusterId: 'c',
      headers: { tags: ['a'] },
    };
    for (const [name, value] of Object.entries(rare)) {
      const given = { contentType: 'application/json', [name]: value };
      expect(usual(defs.encodeProperties(defs.BasicProperties, 1, 2, given))).toBeNull();
    }
    expect(usual(defs.encodeMethod(defs.BasicNack, 1, { deliveryTag: 1 }))).toBeNull();
    expect(usual(frame(8, 0, Buffer.alloc(0)))).toBeNull();
  });

  it('is left to amqplib if it is not whole, or says more than it has', () => {
    const frames = [
      defs.encodeMethod(defs.BasicDeliver, 1, {
        consumerTag: 't',
        deliveryTag: 1,
        exchange: 'e',
        routingKey: 'r',
      }),
      defs.encodeMethod(defs.BasicAck, 1, { deliveryTag: 1 }),
      contentHeader(1, 2, { correlationId: Buffer.from('next') }),
      defs.encodeProperties(defs.BasicProperties, 1, 2, { headers: { number: 70_000, text: 'next' } }),
    ];
    for (const bytes of frames) {
      expect(usual(bytes)).not.toBeNull();
      const wrongEnd = Buffer.from(bytes);
      wrongEnd[bytes.length - 1] = 0;
      expect(usual(wrongEnd)).toBeNull();
      for (const change of [-1, 1]) {
        const payload = Buffer.concat([bytes.subarray(7, -1), Buffer.of(0)]).subarray(
          0,
          bytes.length - 8 + change,
        );
        expect(usual(frame(bytes[0] ?? 0, 1, payload))).toBeNull();
      }
    }
  });
});
