import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  TABLE_BYTES_MAX,
  TABLE_DEPTH_MAX,
  TABLE_ENTRIES_MAX,
} from '../../../src/broker/decoding/field-table.ts';
import { FrameGuard, type Note } from '../../../src/broker/decoding/frame-guard.ts';
import { fuzz } from '../../domain/fuzzing.ts';
import { contentHeader, entry, frame, long, nested, type RawProperties } from '../../support/raw-amqp.ts';

const CHANNEL = 3;
const KEEP = 1000;
const delivery = frame(1, CHANNEL, Buffer.from([0, 60, 0, 60, 1, 0x63, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0]));

interface Given {
  frames: Buffer[];
  notes: Note[];
}

/** What the guard passes on of bytes that arrive in chunks of this size. */
function through(bytes: Buffer, chunk = bytes.length, keepBytes = KEEP): Given {
  const guard = new FrameGuard();
  guard.keepBytes = keepBytes;
  const frames: Buffer[] = [];
  const notes: Note[] = [];
  for (let at = 0; at < bytes.length; at += chunk) {
    guard.push(bytes.subarray(at, at + chunk));
    for (let piece = guard.next(); piece !== null; piece = guard.next()) {
      frames.push(...framesOf(piece));
      if (guard.note !== null) notes.push(guard.note);
    }
  }
  return { frames, notes };
}

function framesOf(piece: Buffer): Buffer[] {
  const frames: Buffer[] = [];
  for (let at = 0; at < piece.length; ) {
    const end = at + 8 + piece.readUInt32BE(at + 3);
    frames.push(piece.subarray(at, end));
    at = end;
  }
  return frames;
}

function message(properties: RawProperties, body = Buffer.from('{}')): Buffer {
  return Buffer.concat([delivery, contentHeader(CHANNEL, body.length, properties), frame(3, CHANNEL, body)]);
}

function noteOf(properties: RawProperties): Note | undefined {
  return through(message(properties)).notes[0];
}

const ordinary: RawProperties = {
  contentType: Buffer.from('application/json'),
  headers: Buffer.concat([entry('a', 'S', Buffer.concat([long(1), Buffer.from('x')])), nested(3, 'table')]),
  deliveryMode: 2,
  correlationId: Buffer.from('id'),
  replyTo: Buffer.from('cdrs.reply.1'),
  timestamp: 2n ** 64n - 1n,
};

describe('the frame guard', () => {
  it('passes on byte for byte what can be decoded and is not too long, whatever the chunks', () => {
    const bytes = Buffer.concat([
      message(ordinary),
      message({}),
      frame(8, 0, Buffer.alloc(0)),
      message(ordinary),
    ]);
    for (const chunk of [1, 2, 7, 8, 100, 1000, bytes.length]) {
      const { frames, notes } = through(bytes, chunk);
      expect(Buffer.concat(frames)).toEqual(bytes);
      expect(notes).toEqual([]);
    }
  });

  it('keeps no more than one piece in memory for a small body', () => {
    const guard = new FrameGuard();
    guard.push(Buffer.concat(Array.from({ length: 1000 }, () => message(ordinary))));
    for (let piece = guard.next(); piece !== null; piece = guard.next())
      expect(piece.length).toBeLessThanOrEqual(16_384);
  });

  it.each([
    [
      'a table nested too deep',
      nested(TABLE_DEPTH_MAX + 1, 'table'),
      `more than ${TABLE_DEPTH_MAX} levels of nesting`,
    ],
    [
      'an array nested too deep',
      nested(TABLE_DEPTH_MAX + 1, 'array'),
      `more than ${TABLE_DEPTH_MAX} levels of nesting`,
    ],
    ['a table nested 5,000 deep', nested(5000, 'table'), `more than ${TABLE_BYTES_MAX} bytes`],
    [
      'too many bytes',
      entry('a', 'x', Buffer.concat([long(TABLE_BYTES_MAX), Buffer.alloc(TABLE_BYTES_MAX)])),
      `more than ${TABLE_BYTES_MAX} bytes`,
    ],
    [
      'too many values',
      entry('a', 'A', Buffer.concat([long(TABLE_ENTRIES_MAX), Buffer.alloc(TABLE_ENTRIES_MAX, 'V')])),
      `more than ${TABLE_ENTRIES_MAX} values`,
    ],
    ['an unknown type', entry('a', '?', Buffer.alloc(8)), 'a value of unknown type'],
    [
      'a text that is longer than the table',
      entry('a', 'S', long(2 ** 32 - 1)),
      'a value that exceeds its table',
    ],
    [
      'a table that is longer than the one it is in',
      entry('a', 'F', long(5)),
      'a value that exceeds its table',
    ],
    ['an array that is cut short', entry('a', 'A', Buffer.of(0, 0)), 'a value that exceeds its table'],
    ['a number that is cut short', entry('a', 'l', Buffer.alloc(7)), 'a value that exceeds its table'],
    ['a name without a value', Buffer.of(1, 0x61), 'a value that exceeds its table'],
    ['a name that is cut short', Buffer.of(200, 0x61), 'a value that exceeds its table'],
    [
      'a duplicate name',
      Buffer.concat([entry('a', 'V', Buffer.alloc(0)), entry('a', 't', Buffer.of(1))]),
      'a duplicate name',
    ],
    ['a prototype', entry('__proto__', 'F', long(0)), 'the name __proto__'],
    [
      'a prototype further down',
      entry('a', 'F', Buffer.concat([long(11), entry('__proto__', 'V', Buffer.alloc(0))])),
      'the name __proto__',
    ],
  ])('%s costs the headers alone', (_, headers, problem) => {
    const { frames, notes } = through(message({ ...ordinary, headers }));
    const { headers: _headers, ...others } = ordinary;
    expect(notes).toEqual([{ bytes: null, problem }]);
    expect(frames[1]).toEqual(contentHeader(CHANNEL, 2, others));
  });

  it.each(['table', 'array'] as const)('leaves a %s of the largest depth as it is', (kind) => {
    expect(noteOf({ headers: nested(TABLE_DEPTH_MAX, kind) })).toBeUndefined();
  });

  it('drops all properties if they cannot be told apart, and keeps the body', () => {
    const header = contentHeader(CHANNEL, 2, { correlationId: Buffer.from('abc') });
    header.writeUInt8(200, 21);
    const { frames, notes } = through(
      Buffer.concat([delivery, header, frame(3, CHANNEL, Buffer.from('{}'))]),
    );
    expect(notes[0]?.problem).toMatch(/malformed properties/);
    expect(frames).toEqual([delivery, contentHeader(CHANNEL, 2, {}), frame(3, CHANNEL, Buffer.from('{}'))]);
  });

  it('does not buffer a content header above the frame limit, and drops its properties', () => {
    const headers = entry('a', 'x', Buffer.concat([long(1_000_000), Buffer.alloc(1_000_000)]));
    const { frames, notes } = through(message({ ...ordinary, headers }), 65_536);
    expect(notes[0]?.problem).toMatch(/more than 262144 bytes/);
    expect(frames).toEqual([delivery, contentHeader(CHANNEL, 2, {}), frame(3, CHANNEL, Buffer.from('{}'))]);
  });

  it('passes on of a long body only what is kept plus one byte, whatever the frames and chunks', () => {
    const body = Buffer.alloc(5 * KEEP, 'x');
    for (const part of [100, KEEP, KEEP + 1, KEEP + 2, 5 * KEEP])
      for (const chunk of [13, 500, 65_536]) {
        const parts: Buffer[] = [];
        for (let at = 0; at < body.length; at += part)
          parts.push(frame(3, CHANNEL, body.subarray(at, at + part)));
        const long = Buffer.concat([delivery, contentHeader(CHANNEL, body.length, ordinary), ...parts]);
        const { frames, notes } = through(Buffer.concat([long, message(ordinary)]), chunk);
        const kept = frames.slice(2, -3).map((one) => one.subarray(7, -1));
        expect(Buffer.concat(kept)).toEqual(body.subarray(0, KEEP + 1));
        expect(notes).toEqual([{ bytes: body.length, problem: null }]);
        expect(frames[1]).toEqual(contentHeader(CHANNEL, KEEP + 1, ordinary));
        expect(Buffer.concat(frames.slice(-3))).toEqual(message(ordinary));
      }
  });

  it('throws at any other frame above the limit', () => {
    const start = Buffer.concat([Buffer.of(1, 0, 0), long(100_000_000), Buffer.alloc(100)]);
    expect(() => through(start)).toThrow('a frame of 100000000 bytes');
  });

  it('passes on whole frames, and the messages around them unchanged, whatever bytes are in a content header', () => {
    fuzz(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.integer({ min: 1, max: 400 }), (bytes, chunk) => {
        const strange = frame(
          2,
          CHANNEL,
          Buffer.concat([Buffer.of(0, 60, 0, 0), long(0), long(2), Buffer.from(bytes)]),
        );
        const all = Buffer.concat([
          message(ordinary),
          delivery,
          strange,
          frame(3, CHANNEL, Buffer.from('{}')),
          message(ordinary),
        ]);
        const { frames } = through(all, chunk);
        expect(frames).toHaveLength(9);
        expect(Buffer.concat(frames.slice(0, 3))).toEqual(message(ordinary));
        expect(Buffer.concat(frames.slice(6))).toEqual(message(ordinary));
      }),
    );
  });
});
