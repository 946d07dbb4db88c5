const ZERO = 0x30;

/**
 * Writes the digits of a whole number that is not negative, where up to 16 have room. Returns where they end. A text made of each
 * number would be garbage at once.
 */
export function writeDigits(bytes: Uint8Array, start: number, value: number): number {
  let end = start + 1;
  for (let rest = value; rest >= 10; rest = Math.trunc(rest / 10)) end += 1;
  let rest = value;
  for (let at = end - 1; at >= start; at -= 1) {
    const digit = rest % 10;
    bytes[at] = ZERO + digit;
    rest = (rest - digit) / 10;
  }
  return end;
}

/** What `writeDigits` may write. */
export const DIGITS_MAX = 16;

export function isWritable(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}
