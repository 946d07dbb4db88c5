/** Most bytes of a header table. Brokers and tracing need far fewer. */
export const TABLE_BYTES_MAX = 16_384;
/** Most levels of tables and arrays. `x-death` needs three. */
export const TABLE_DEPTH_MAX = 16;
/** Most values in a table, nested ones included. */
export const TABLE_ENTRIES_MAX = 512;

// Allocated once: scans are synchronous, one at a time, and run for every message.
/** Where each open container ends, and whether it is a table. */
const ends = new Int32Array(TABLE_DEPTH_MAX + 1);
const isTable = new Uint8Array(TABLE_DEPTH_MAX + 1);
/** Where the names in the outermost table begin. */
const names = new Int32Array(TABLE_ENTRIES_MAX + 1);

const UNKNOWN = -1;
/** A length of four bytes comes first. */
const BY_LENGTH = -2;
const CONTAINER = -3;
/** Bytes of a value by its type, or one of the three above. */
const widths = new Int8Array(256).fill(UNKNOWN);
for (const [types, width] of [
  ['V', 0],
  ['tbB', 1],
  ['su', 2],
  ['Iif', 4],
  ['D', 5],
  ['lTd', 8],
  ['Sx', BY_LENGTH],
  ['FA', CONTAINER],
] as const)
  for (const type of types) widths[type.charCodeAt(0)] = width;

/** Types of values in a table. */
export const BOOLEAN = 't'.charCodeAt(0);
export const INT_8 = 'b'.charCodeAt(0);
export const INT_16 = 's'.charCodeAt(0);
export const INT_32 = 'I'.charCodeAt(0);
export const INT_64 = 'l'.charCodeAt(0);
export const DOUBLE = 'd'.charCodeAt(0);
export const TEXT = 'S'.charCodeAt(0);
export const BYTES = 'x'.charCodeAt(0);
const TABLE = 'F'.charCodeAt(0);
const UNDERSCORE = '_'.charCodeAt(0);
const PROTOTYPE = Buffer.from('__proto__');

const CUT_SHORT = 'a value that exceeds its table';

/**
 * Checks an AMQP table without decoding it: what is wrong with it, or null if any decoder can take it. Not
 * recursive and linear in the number of values, whatever the bytes: amqplib decodes tables by recursion, so
 * deep ones overflow its stack.
 *
 * @param start of the table in the frame, after its length
 * @param end of the table
 */
export function problemOfTable(bytes: Uint8Array, start: number, end: number): string | null {
  if (end - start > TABLE_BYTES_MAX) return `more than ${TABLE_BYTES_MAX} bytes`;
  let depth = 0;
  let entries = 0;
  let outer = 0;
  let at = start;
  ends[0] = end;
  isTable[0] = 1;
  for (;;) {
    let limit = ends[depth] ?? end;
    while (at === limit) {
      if (depth === 0) return null;
      depth -= 1;
      limit = ends[depth] ?? end;
    }
    entries += 1;
    if (entries > TABLE_ENTRIES_MAX) return `more than ${TABLE_ENTRIES_MAX} values`;
    if (isTable[depth] === 1) {
      const next = at + 1 + (bytes[at] ?? 0);
      if (next >= limit) return CUT_SHORT;
      if (isPrototype(bytes, at)) return 'the name __proto__';
      if (depth === 0) {
        for (let i = 0; i < outer; i += 1) if (sameName(bytes, names[i] ?? 0, at)) return 'a duplicate name';
        names[outer] = at;
        outer += 1;
      }
      at = next;
    }
    const type = bytes[at] ?? 0;
    const width = widths[type] ?? UNKNOWN;
    at += 1;
    if (width >= 0) {
      at += width;
    } else if (width === BY_LENGTH) {
      if (at + 4 > limit) return CUT_SHORT;
      at += 4 + longAt(bytes, at);
    } else if (width === CONTAINER) {
      if (at + 4 > limit) return CUT_SHORT;
      const inner = at + 4 + longAt(bytes, at);
      if (inner > limit) return CUT_SHORT;
      if (depth === TABLE_DEPTH_MAX) return `more than ${TABLE_DEPTH_MAX} levels of nesting`;
      depth += 1;
      ends[depth] = inner;
      isTable[depth] = type === TABLE ? 1 : 0;
      at += 4;
    } else return 'a value of unknown type';
    if (at > (ends[depth] ?? end)) return CUT_SHORT;
  }
}

/** An unsigned number of four bytes. */
export function longAt(bytes: Uint8Array, at: number): number {
  return (
    (bytes[at] ?? 0) * 0x1000000 +
    (((bytes[at + 1] ?? 0) << 16) | ((bytes[at + 2] ?? 0) << 8) | (bytes[at + 3] ?? 0))
  );
}

/** An unsigned number of two bytes. */
export function shortAt(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
}

/** Bytes of a value of a known type after the type itself, which is at `at`. */
export function widthAt(bytes: Uint8Array, at: number): number {
  const width = widths[bytes[at] ?? 0] ?? UNKNOWN;
  return width >= 0 ? width : 4 + longAt(bytes, at + 1);
}

/** As a key of a JavaScript object it would set the prototype. */
function isPrototype(bytes: Uint8Array, name: number): boolean {
  if (bytes[name] !== PROTOTYPE.length || bytes[name + 1] !== UNDERSCORE) return false;
  for (let i = 0; i < PROTOTYPE.length; i += 1) if (bytes[name + 1 + i] !== PROTOTYPE[i]) return false;
  return true;
}

/** Of two values with the same name, clients keep either one. */
function sameName(bytes: Uint8Array, one: number, other: number): boolean {
  const length = bytes[one] ?? 0;
  if (bytes[other] !== length) return false;
  for (let i = 1; i <= length; i += 1) if (bytes[one + i] !== bytes[other + i]) return false;
  return true;
}
