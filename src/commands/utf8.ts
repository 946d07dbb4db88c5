import { isUtf8 } from 'node:buffer';

/** Stands in front of a byte that is no UTF-8: such bytes are 0x80 and above, which makes them lone low surrogates. */
const ESCAPE = 0xdc00;
const ESCAPED = /(\p{Cs})/u;

/**
 * Text from which every byte can be had again: one that is no UTF-8 becomes a lone surrogate, U+DC80 to U+DCFF. Valid bytes
 * never give one, so `isWellFormed()` tells whether the bytes were valid.
 */
export function decodeExactly(bytes: Buffer): string {
  if (isUtf8(bytes)) return bytes.toString('utf8');
  const parts: string[] = [];
  for (let at = 0; at < bytes.length; ) {
    const byte = bytes[at] ?? 0;
    const character = bytes.subarray(at, at + sizeOf(byte));
    const isValid = isUtf8(character);
    parts.push(isValid ? character.toString('utf8') : String.fromCharCode(ESCAPE + byte));
    at += isValid ? character.length : 1;
  }
  return parts.join('');
}

/** The bytes of a text of `decodeExactly`. */
export function encodeExactly(text: string): Buffer {
  if (text.isWellFormed()) return Buffer.from(text);
  const parts = text
    .split(ESCAPED)
    .map((part, index) => (index % 2 === 0 ? Buffer.from(part) : Buffer.of(part.charCodeAt(0) - ESCAPE)));
  return Buffer.concat(parts);
}

/** How many bytes at the end begin a character that is not complete: more of it may follow. */
export function unfinished(bytes: Buffer): number {
  for (let back = 1; back <= Math.min(3, bytes.length); back += 1) {
    const byte = bytes[bytes.length - back] ?? 0;
    if (byte < 0x80) return 0;
    if (byte >= 0xc0) return sizeOf(byte) > back ? back : 0;
  }
  return 0;
}

/** How many bytes the character has that this byte begins. */
function sizeOf(byte: number): number {
  if (byte < 0xc0) return 1;
  if (byte < 0xe0) return 2;
  return byte < 0xf0 ? 3 : 4;
}
