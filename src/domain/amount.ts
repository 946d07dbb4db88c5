import { Decimal } from 'decimal.js';

/** A whole number: a double where that holds it exactly, as it nearly always does, else a bigint. */
export type Whole = number | bigint;

/** Powers of ten that a double holds with a digit more. */
const POWERS = Array.from({ length: 16 }, (_, power) => Number(`1e${power}`));

export function tenTo(power: number): Whole {
  return POWERS[power] ?? 10n ** BigInt(power);
}

/** In its one form. */
export function wholeOf(value: bigint): Whole {
  const double = Number(value);
  return Number.isSafeInteger(double) ? double : value;
}

/** The exact product; NaN of NaN, which a database may have in place of a number. */
export function product(one: Whole, other: Whole): Whole {
  if (typeof one === 'number' && typeof other === 'number') {
    const double = one * other;
    // `+ 0` turns -0 into 0.
    if (Number.isSafeInteger(double)) return double + 0;
  }
  if (Number.isNaN(one) || Number.isNaN(other)) return Number.NaN;
  return wholeOf(BigInt(one) * BigInt(other));
}

/** The exact sum; NaN as above. */
function sum(one: Whole, other: Whole): Whole {
  if (typeof one === 'number' && typeof other === 'number') {
    const double = one + other;
    if (Number.isSafeInteger(double)) return double;
  }
  if (Number.isNaN(one) || Number.isNaN(other)) return Number.NaN;
  return wholeOf(BigInt(one) + BigInt(other));
}

/**
 * An exact decimal number. Made of whole numbers and not a `Decimal`, which makes several objects for each number and for each
 * step of a calculation: they were a sixth of what a message leaves behind (bench/NOTES.md).
 */
export class Amount {
  /** The amount × 10^`places`. */
  readonly whole: Whole;
  /** 0 or more. There may be zeros at its end: 1.50 is 150 with 2 places. */
  readonly places: number;

  constructor(whole: Whole, places: number) {
    this.whole = whole;
    this.places = places;
  }

  isZero(): boolean {
    return this.whole === 0;
  }

  isNegative(): boolean {
    return this.whole < 0;
  }

  negated(): Amount {
    return new Amount(product(this.whole, -1), this.places);
  }

  equals(other: Amount): boolean {
    return this.minus(other).isZero();
  }

  plus(other: Amount): Amount {
    const places = Math.max(this.places, other.places);
    return new Amount(sum(this.#at(places), other.#at(places)), places);
  }

  minus(other: Amount): Amount {
    return this.plus(other.negated());
  }

  times(other: Amount): Amount {
    return new Amount(product(this.whole, other.whole), this.places + other.places);
  }

  /** Its decimal point moved to the right by so many places, or to the left. */
  shifted(powers: number): Amount {
    const places = this.places - powers;
    return places < 0 ? new Amount(product(this.whole, tenTo(-places)), 0) : new Amount(this.whole, places);
  }

  /** Plain notation without an exponent or trailing zeros: "12.5", "-0.1", "0". */
  toString(): string {
    const { whole, places } = this;
    // The nearest double is written in the fewest digits that name it: with up to 15, in those of the amount.
    if (typeof whole === 'number' && places <= PLACES_WITHOUT_EXPONENT && Math.abs(whole) < 1e15)
      return String(whole / Number(tenTo(places)));
    if (Number.isNaN(whole)) return 'NaN';
    const digits = String(whole)
      .replace('-', '')
      .padStart(places + 1, '0');
    const point = digits.length - places;
    const text =
      places === 0 ? digits : `${digits.slice(0, point)}.${digits.slice(point)}`.replace(/\.?0+$/, '');
    return whole < 0 ? `-${text}` : text;
  }

  #at(places: number): Whole {
    return places === this.places ? this.whole : product(this.whole, tenTo(places - this.places));
  }
}

/** JavaScript writes 0.000001 and 1e-7. */
const PLACES_WITHOUT_EXPONENT = 6;

const DIGITS = /^-?\d+(?:\.\d+)?$/;
/** Characters of a text whose digits all survive in a double (IEEE 754), and so does the whole number nearest to its product. */
const EXACT_LENGTH = 15;

/** Reads plain or scientific decimal text exactly; throws on anything else, so callers check first. */
export function amount(text: string): Amount {
  if (!DIGITS.test(text)) return amountOf(new Decimal(text));
  const point = text.indexOf('.');
  const places = point < 0 ? 0 : text.length - point - 1;
  if (text.length > EXACT_LENGTH) return new Amount(wholeOf(BigInt(text.replace('.', ''))), places);
  return new Amount(Math.round(Number(text) * Number(tenTo(places))) + 0, places);
}

function amountOf(written: Decimal): Amount {
  return written.isFinite() ? amount(written.toFixed()) : new Amount(Number.NaN, 0);
}
