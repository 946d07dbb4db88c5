import { Decimal } from 'decimal.js';

/** Fraction digits of every amount: sent, charged and stored. */
export const SCALE = 6;

/** A rule of rounding, for the numbers here and for those of the database. */
interface Rounding {
  mode: Decimal.Rounding;
  /** SQL of n / d, exact but for one rounding; n and d are SQL of numbers, d > 0. */
  sql: (n: string, d: string) => string;
}

/** Half-up, away from zero: 0.0000005 → 0.000001, -0.0000005 → -0.000001. */
const HALF_UP: Rounding = {
  mode: Decimal.ROUND_HALF_UP,
  // `div` is PostgreSQL's exact integer quotient, whereas `/` stops at some digit.
  sql: (n, d) => `(sign(${n}) * div(2 * abs(${n}) * 1e${SCALE} + ${d}, 2 * ${d}) * 1e-${SCALE})`,
};

/** How every amount is rounded: `round` and `divideAndRound` below, and reconcile's own sums in SQL. */
const ROUNDING = HALF_UP;

/**
 * 120 significant digits: products of the numbers that the contract and the database admit stay exact, and a quotient
 * that is not a tie cannot be so close to one that cutting it at 120 digits would make it look like one (its distance
 * from a tie is at least 1 / (2 · 10^SCALE · denominator)).
 */
const Exact = Decimal.clone({ precision: 120, rounding: ROUNDING.mode, toExpNeg: -60, toExpPos: 60 });

/** An exact decimal number. */
export type Amount = Decimal;

/** Integer digits that an amount may have in a message: cdrs.cost. */
export const GIVEN_INTEGER_DIGITS = 12;

/** Integer digits that a charged amount may have: cdrs.tax, charged, invoice_cost and invoice_tax. */
export const AMOUNT_INTEGER_DIGITS = 18;

/** Integer digits of a sum of amounts: balances, what customers were charged, what invoices show. */
export const SUM_INTEGER_DIGITS = 24;

export const ZERO: Amount = new Exact(0);
const ONE: Amount = new Exact(1);
const HUNDREDTH: Amount = new Exact('0.01');

/** Notation that is canonical but for zeros at its end. */
const PLAIN = /^-?(?:0|[1-9]\d*)(?:\.\d+)?$/;

/** Reads plain or scientific decimal text exactly; throws on anything else, so callers check first. */
export function amount(text: string): Amount {
  return new Exact(text);
}

/** Plain notation without an exponent or trailing zeros: the canonical text of an amount ("12.5", "-0.1", "0"). */
export function plain(value: Amount): string {
  return value.isZero() ? '0' : value.toFixed();
}

/** Canonical plain text of a decimal's text: "1.50" → "1.5", "-0" → "0", "1e-6" → "0.000001". */
export function canonical(text: string): string {
  if (!PLAIN.test(text)) return plain(amount(text));
  const digits = text.includes('.') ? text.replace(/\.?0+$/, '') : text;
  return digits === '-0' ? '0' : digits;
}

function round(value: Amount): Amount {
  return value.decimalPlaces() <= SCALE ? value : value.toDecimalPlaces(SCALE, ROUNDING.mode);
}

/** Whether two amounts are the same number; mostly they are one object then. */
export function isSame(one: Amount, other: Amount): boolean {
  return one === other || one.equals(other);
}

/** The sum, without another number where one of them is 0. */
export function plus(one: Amount, other: Amount): Amount {
  if (one.isZero()) return other;
  return other.isZero() ? one : one.plus(other);
}

/** How an amount with more than 6 places becomes one with 6: toward zero, away from it, or half-up as everywhere. */
export type Places = 'down' | 'up' | 'half-up';

/** An amount of a feed, its decimal point moved by powers of ten and then rounded to 6 places, if that is asked for. */
export function shifted(value: Amount, powers: number, places: Places | undefined): Amount {
  const moved = value.times(new Exact(10).pow(powers));
  if (places === undefined) return moved;
  if (places === 'half-up') return round(moved);
  return moved.toDecimalPlaces(SCALE, places === 'up' ? Decimal.ROUND_UP : Decimal.ROUND_DOWN);
}

/** A quotient has up to 120 digits, so none is made where the denominator is 1: that of the system currency mostly is. */
function divideAndRound(numerator: Amount, denominator: Amount): Amount {
  return round(isSame(denominator, ONE) ? numerator : numerator.div(denominator));
}

/** A currency's rate: units of it per unit of the system currency, > 0. */
export type Rate = Amount;

/** The rate of the system currency itself when the billing system keeps no row for it. */
export const PAR: Rate = ONE;

/**
 * Converts between currencies: value × rate of the target / rate of the source, multiplied first, divided once,
 * rounded once (docs/interface.md, section 4).
 *
 *   convert(10, source 1, target 0.9)  = 9
 *   convert(1, source 3, target 1)     = 0.333333
 */
export function convert(value: Amount, source: Rate, target: Rate): Amount {
  if (value.isZero()) return ZERO;
  // The same number, without a quotient of up to 120 digits.
  if (isSame(source, target)) return round(value);
  return divideAndRound(value.times(target), source);
}

/** SQL of `convert`. */
export function convertSql(value: string, source: string, target: string): string {
  return ROUNDING.sql(`(${value} * ${target})`, `(${source})`);
}

/**
 * One tax on one call, in the call's currency, rounded once: cost × percent / 100 + flat × rate of the call's
 * currency / rate of the flat part's. The flat part takes the sign of the cost, so that a credit cancels its call.
 *
 *   taxOn(cost 10, percent 20, flat 0.1, currency 2, flat's 1)  = 2.2
 *   taxOn(cost -10, percent 20, flat 0.1, currency 2, flat's 1) = -2.2
 */
export function taxOn(cost: Amount, percent: Amount, flat: Amount, currency: Rate, ofFlat: Rate): Amount {
  const signedFlat = cost.isNegative() && !cost.isZero() ? flat.negated() : flat;
  const ofCost = cost.times(percent).times(HUNDREDTH);
  if (flat.isZero()) return round(ofCost);
  return divideAndRound(ofCost.times(ofFlat).plus(signedFlat.times(currency)), ofFlat);
}

/** SQL of `taxOn`. */
export function taxSql(
  cost: string,
  percent: string,
  flat: string,
  currency: string,
  ofFlat: string,
): string {
  const signedFlat = `case when ${cost} < 0 then -${flat} else ${flat} end`;
  return ROUNDING.sql(
    `(${cost} * ${percent} * ${ofFlat} + ${signedFlat} * ${currency} * 100)`,
    `(${ofFlat} * 100)`,
  );
}

/** The type of a column of amounts with so many integer digits, as format_type() names it. */
export function amountType(integerDigits: number): string {
  return `numeric(${integerDigits + SCALE},${SCALE})`;
}

/** SQL of a sum of amounts, in the type of the columns that keep sums. */
export function sumSql(sum: string): string {
  return `(${sum})::${amountType(SUM_INTEGER_DIGITS)}`;
}

/** Whether an amount fits the column it is stored in. */
export function fits(value: Amount): boolean {
  return value.isZero() || value.e < AMOUNT_INTEGER_DIGITS;
}
