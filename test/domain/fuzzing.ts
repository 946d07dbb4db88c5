import fc from 'fast-check';

const RUNS = Number(process.env.FUZZ_RUNS ?? 300);
const SEED = process.env.FUZZ_SEED;

/** Checks a property as often as FUZZ_RUNS says. A failure prints the seed; FUZZ_SEED runs the same cases again. */
export function fuzz<Values>(property: fc.IProperty<Values>): void;
export function fuzz<Values>(property: fc.IAsyncProperty<Values>): Promise<void>;
export function fuzz<Values>(property: fc.IRawProperty<Values>): unknown {
  return fc.assert(property, { numRuns: RUNS, ...(SEED === undefined ? {} : { seed: Number(SEED) }) });
}

const MILLION = 1_000_000n;

/** Up to 12 integer and 6 fraction digits, in canonical form or not. */
export const decimalText = fc
  .tuple(
    fc.boolean(),
    fc.oneof(fc.bigInt(0n, 10n ** 18n - 1n), fc.bigInt(0n, 10n ** 9n), fc.constantFrom(0n, 1n, 5n, 499_999n)),
  )
  .map(([negative, millionths]) => {
    const fractionDigits = (millionths % MILLION).toString().padStart(6, '0');
    return `${negative ? '-' : ''}${millionths / MILLION}.${fractionDigits}`;
  });

/** A rate over 0, with as many digits as a billing system may have put there. */
export const rateText = fc.oneof(
  fc.constantFrom('1', '3', '7', '0.5', '1.1', '0.000001', '1234567.891'),
  fc
    .tuple(fc.bigInt(1n, 10n ** 20n), fc.integer({ min: 0, max: 18 }))
    .map(([digits, places]) =>
      `${digits / 10n ** BigInt(places)}.${fractionOf(digits, places)}`.replace(/\.$/, ''),
    ),
);

function fractionOf(digits: bigint, places: number): string {
  return places === 0 ? '' : (digits % 10n ** BigInt(places)).toString().padStart(places, '0');
}
