import { Amount, amount, product, tenTo, type Whole, wholeOf } from './amount.ts';

export { type Amount, amount } from './amount.ts';

/** Fraction digits of every amount: sent, charged and stored. */
export const SCALE = 6;

/** How an amount with more than 6 places becomes one with 6: toward zero, away from it, or half-up as everywhere. */
export type Places = 'down' | 'up' | 'half-up';

/** Half-up, away from zero: 0.0000005 → 0.000001, -0.0000005 → -0.000001. This is how every amount is rounded but a feed's. */
const ROUNDING: Places = 'half-up';

/** SQL of n / d, exact but for one rounding of that kind, in reconcile's own sums; n and d are SQL of numbers, d > 0. */
function divideAndRoundSql(n: string, d: string): string {
  // `div` is PostgreSQL's exact integer quotient, whereas `/` stops at some digit.
  return `(sign(${n}) * div(2 * abs(${n}) * 1e${SCALE} + ${d}, 2 * ${d}) * 1e-${SCALE})`;
}

/** Integer digits that an amount may have in a message: cdrs.cost. */
export const GIVEN_INTEGER_DIGITS = 12;

/** Integer digits that a charged amount may have: cdrs.tax, charged, invoice_cost and invoice_tax. */
export const AMOUNT_INTEGER_DIGITS = 18;

/** Integer digits of a sum of amounts: balances, what customers were charged, what invoices show. */
export const SUM_INTEGER_DIGITS = 24;

export const ZERO: Amount = amount('0');
const ONE: Amount = amount('1');

/** Notation that is canonical but for zeros at its end. */
const PLAIN = /^-?(?:0|[1-9]\d*)(?:\.\d+)?$/;

/** Plain notation without an exponent or trailing zeros: the canonical text of an amount ("12.5", "-0.1", "0"). */
export function plain(value: Amount): string {
  return value.toString();
}

/** Canonical plain text of a decimal's text: "1.50" → "1.5", "-0" → "0", "1e-6" → "0.000001". */
export function canonical(text: string): string {
  if (!PLAIN.test(text)) return plain(amount(text));
  const digits = text.includes('.') ? text.replace(/\.?0+$/, '') : text;
  return digits === '-0' ? '0' : digits;
}

/** A whole quotient; the denominator is > 0. */
function quotient(numerator: Whole, denominator: Whole, rounding: Places): Whole {
  if (typeof numerator === 'number' && typeof denominator === 'number') {
    // Doubles, but nothing here is rounded: of what is exact, a remainder and a quotient without one are exact.
    const rest = numerator % denominator;
    const cut = (numerator - rest) / denominator;
    return isAway(2 * Math.abs(rest), denominator, rounding) ? cut + Math.sign(numerator) : cut + 0;
  }
  if (Number.isNaN(numerator) || Number.isNaN(denominator)) return Number.NaN;
  const [n, d] = [BigInt(numerator), BigInt(denominator)];
  const rest = n % d;
  const away = isAway(2n * (rest < 0n ? -rest : rest), d, rounding) ? (n < 0n ? -1n : 1n) : 0n;
  return wholeOf(n / d + away);
}

/** Whether a quotient is rounded away from zero, by twice the remainder. */
function isAway(twiceRest: Whole, denominator: Whole, rounding: Places): boolean {
  if (rounding === 'half-up') return twiceRest >= denominator;
  return rounding === 'up' && twiceRest > 0;
}

function round(value: Amount, rounding = ROUNDING): Amount {
  if (value.places <= SCALE) return value;
  return new Amount(quotient(value.whole, tenTo(value.places - SCALE), rounding), SCALE);
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

/** An amount of a feed, its decimal point moved by powers of ten and then rounded to 6 places, if that is asked for. */
export function shifted(value: Amount, powers: number, places: Places | undefined): Amount {
  const moved = value.shifted(powers);
  return places === undefined ? moved : round(moved, places);
}

function divideAndRound(numerator: Amount, denominator: Amount): Amount {
  if (isSame(denominator, ONE)) return round(numerator);
  const powers = SCALE + denominator.places - numerator.places;
  const millionths =
    powers < 0
      ? quotient(numerator.whole, product(denominator.whole, tenTo(-powers)), ROUNDING)
      : quotient(product(numerator.whole, tenTo(powers)), denominator.whole, ROUNDING);
  return new Amount(millionths, SCALE);
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
  if (isSame(source, target)) return round(value);
  return divideAndRound(value.times(target), source);
}

/** SQL of `convert`. */
export function convertSql(value: string, source: string, target: string): string {
  return divideAndRoundSql(`(${value} * ${target})`, `(${source})`);
}

/**
 * One tax on one call, in the call's currency, rounded once: cost × percent / 100 + flat × rate of the call's
 * currency / rate of the flat part's. The flat part takes the sign of the cost, so that a credit cancels its call.
 *
 *   taxOn(cost 10, percent 20, flat 0.1, currency 2, flat's 1)  = 2.2
 *   taxOn(cost -10, percent 20, flat 0.1, currency 2, flat's 1) = -2.2
 */
export function taxOn(cost: Amount, percent: Amount, flat: Amount, currency: Rate, ofFlat: Rate): Amount {
  const signedFlat = cost.isNegative() ? flat.negated() : flat;
  const ofCost = cost.times(percent).shifted(-2);
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
  return divideAndRoundSql(
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
  const { whole, places } = value;
  // Every whole number that a double holds has fewer digits.
  if (typeof whole === 'number') return !Number.isNaN(whole);
  const most = tenTo(AMOUNT_INTEGER_DIGITS + places);
  return -most < whole && whole < most;
}
