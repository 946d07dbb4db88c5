import { createRequire } from 'node:module';
import { PassThrough } from 'node:stream';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import {
  ECHO,
  type GuardedProperties,
  guardDecoding,
  NOTE,
} from '../../../src/broker/decoding/guarded-decoding.ts';
import { fuzz } from '../../domain/fuzzing.ts';
import { contentHeader, frame, long, nested, type RawProperties } from '../../support/raw-amqp.ts';

interface Frame {
  id?: number;
  size?: number;
  fields?: GuardedProperties & Record<string, unknown>;
  content?: Buffer;
}
interface Connection {
  recvFrame(): Frame | false;
  rest: Buffer;
}

/** A connection of amqplib, with its decoder, on a stream that the test writes to. */
function connectionOn(stream: PassThrough): Connection {
  const library = fileURLToPath(new URL('../../../node_modules/amqplib/lib/connection.js', import.meta.url));
  const { Connection: Amqplib } = createRequire(import.meta.url)(library) as {
    Connection: new (socket: PassThrough) => Connection;
  };
  return new Amqplib(stream);
}

/** The frames that amqplib decodes behind the guard. */
function decoded(bytes: Buffer): Frame[] {
  const stream = new PassThrough();
  const connection = connectionOn(stream);
  guardDecoding(connection);
  stream.write(bytes);
  const frames: Frame[] = [];
  for (let next = connection.recvFrame(); next !== false; next = connection.recvFrame()) frames.push(next);
  return frames;
}

const body = frame(3, 1, Buffer.from('{}'));
const wellFormed = contentHeader(1, 2, { correlationId: Buffer.from('next') });
const strange = (payload: Buffer) => frame(2, 1, payload);

it('amqplib alone throws at headers that anyone may send', () => {
  const stream = new PassThrough();
  const connection = connectionOn(stream);
  stream.write(contentHeader(1, 2, { headers: nested(5000, 'table') }));
  expect(() => connection.recvFrame()).toThrow('Maximum call stack size exceeded');
});

it('a content header that passes the guard and makes amqplib throw loses only its properties', () => {
  const unknownClass = contentHeader(1, 2, { correlationId: Buffer.from('x') });
  unknownClass.writeUInt16BE(61, 7);
  const frames = decoded(Buffer.concat([unknownClass, body, wellFormed, body]));
  expect(frames.map(({ content, size }) => size ?? content?.toString())).toEqual([2, '{}', 2, '{}']);
  expect(frames[0]?.fields?.[NOTE]).toEqual({ bytes: null, problem: 'properties that cannot be decoded' });
  expect(frames[2]?.fields).toMatchObject({ correlationId: 'next' });
});

it('whatever bytes are in a content header, decoding ends and the next message is whole', () => {
  const headers = fc
    .tuple(fc.uint8Array({ maxLength: 400 }), fc.integer({ min: 0, max: 0xffff }), fc.nat(70))
    .map(([bytes, flags, id]) =>
      Buffer.concat([Buffer.of(0, id, 0, 0), long(0), long(2), Buffer.of(flags >> 8, flags & 0xff), bytes]),
    );
  fuzz(
    fc.property(headers, (payload) => {
      const frames = decoded(Buffer.concat([strange(payload), body, wellFormed, body]));
      expect(frames.map(({ content, size }) => size ?? content?.toString())).toEqual([2, '{}', 2, '{}']);
      expect(frames[2]?.fields).toMatchObject({ correlationId: 'next' });
    }),
  );
});

it.each(['correlationId', 'messageId'] as const)(
  'the bytes of a %s that is not UTF-8 are kept beside it',
  (name) => {
    const echoOf = (properties: RawProperties) => decoded(contentHeader(1, 0, properties))[0]?.fields?.[ECHO];
    const bytes = Buffer.from([0x41, 0xff, 0x00, 0xc3]);
    expect(echoOf({ [name]: bytes })).toEqual(bytes);
    expect(echoOf({ correlationId: Buffer.alloc(0), [name]: bytes, headers: nested(1, 'table') })).toEqual(
      bytes,
    );
    for (const text of ['', 'plain', 'é', '\uFFFD'])
      expect(echoOf({ [name]: Buffer.from(text) })).toBeUndefined();
  },
);

it('bytes read before the guard was installed are guarded too', () => {
  const stream = new PassThrough();
  const connection = connectionOn(stream);
  connection.rest = contentHeader(1, 2, { headers: nested(5000, 'array') });
  guardDecoding(connection);
  expect(connection.recvFrame()).toMatchObject({ id: 60, size: 2 });
});

it('any other version of amqplib is refused', () => {
  expect(() => guardDecoding({ stream: new PassThrough() })).toThrow('its decoder cannot be guarded');
});
