import { Decimal } from 'decimal.js';

/**
 * A JSON number as its text. Where one is left among the parameters, it is a number that none of them can hold:
 * it is refused, and shown and kept as it was written.
 */
export class NumberToken {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }

  toJSON(): string {
    return this.text;
  }
}

/** A number as JSON writes it, whatever its exponent: nothing of it is written out yet. Throws on anything else. */
export function numberIn(text: string): Decimal {
  return new Decimal(text);
}

/** All of its digits, without an exponent. The caller limits the exponent. */
export function digitsOf(value: Decimal): string {
  return value.isZero() ? '0' : value.toFixed();
}
