/**
 * Amounts a second time: fractions of whole numbers, nothing rounded until it is asked for. The tests compare
 * the product's decimals with these to the last digit.
 */
export interface Fraction {
  over: bigint;
  under: bigint;
}

const SCALE = 6;
const MILLION = 10n ** BigInt(SCALE);

export function fraction(text: string): Fraction {
  const [, sign, whole = '', digits = ''] = /^(-?)(\d+)(?:\.(\d+))?$/.exec(text) ?? [];
  if (sign === undefined) throw new Error(`not a plain decimal: ${text}`);
  const over = BigInt(whole + digits);
  return { over: sign === '-' ? -over : over, under: 10n ** BigInt(digits.length) };
}

function times(a: Fraction, b: Fraction): Fraction {
  return { over: a.over * b.over, under: a.under * b.under };
}

function by(a: Fraction, b: Fraction): Fraction {
  return { over: a.over * b.under, under: a.under * b.over };
}

function plus(a: Fraction, b: Fraction): Fraction {
  return { over: a.over * b.under + b.over * a.under, under: a.under * b.under };
}

/** In millionths, half away from zero. */
function rounded({ over, under }: Fraction): bigint {
  const size = over < 0n ? -over : over;
  const up = (2n * size * MILLION + under) / (2n * under);
  return over < 0n ? -up : up;
}

function ofMillionths(millionths: bigint): Fraction {
  return { over: millionths, under: MILLION };
}

/** amount × rate of the target / rate of the source, in millionths. */
export function converted(amount: Fraction, source: Fraction, target: Fraction): bigint {
  return rounded(by(times(amount, target), source));
}

/** As `tax_terms` has it: without a rate, `flat` is in the system currency. */
export interface ModelTax {
  rate: string;
  flat: string;
  currency_rate?: string;
}

/** cost × rate / 100 + flat converted to the call's currency, in millionths; a credit's flat part is negative. */
export function taxed(cost: Fraction, tax: ModelTax, currency: Fraction, system: Fraction): bigint {
  const percent = by(times(cost, fraction(tax.rate)), { over: 100n, under: 1n });
  const source = tax.currency_rate === undefined ? system : fraction(tax.currency_rate);
  const flat = by(times(fraction(tax.flat), currency), source);
  const signed = cost.over < 0n ? { ...flat, over: -flat.over } : flat;
  return rounded(plus(percent, signed));
}

/** What a call comes to, in millionths, in the customer's currency and in its invoice's. */
export function charged(
  cost: string,
  taxes: readonly ModelTax[],
  rates: { system: string; call: string; target: string },
): { tax: bigint; cost: bigint; taxThere: bigint } {
  const [call, target] = [fraction(rates.call), fraction(rates.target)];
  const tax = taxes
    .map((each) => taxed(fraction(cost), each, call, fraction(rates.system)))
    .reduce((sum, each) => sum + each, 0n);
  return {
    tax,
    cost: converted(fraction(cost), call, target),
    taxThere: converted(ofMillionths(tax), call, target),
  };
}

/** An amount of at most six places, in millionths. */
export function millionths(text: string): bigint {
  const { over, under } = fraction(text);
  return (over * MILLION) / under;
}

/** Millionths as plain text: 1500000 → "1.5". */
export function plainText(amount: bigint): string {
  return decimalText(amount, SCALE);
}

/** The product of two plain decimals, to the last digit. */
export function product(one: string, other: string): string {
  const { over, under } = times(fraction(one), fraction(other));
  return decimalText(over, `${under}`.length - 1);
}

/** over / 10^places as plain text. */
function decimalText(over: bigint, places: number): string {
  const digits = (over < 0n ? -over : over).toString().padStart(places + 1, '0');
  const point = digits.length - places;
  const text =
    places === 0 ? digits : `${digits.slice(0, point)}.${digits.slice(point)}`.replace(/\.?0+$/, '');
  return over < 0n ? `-${text}` : text;
}
