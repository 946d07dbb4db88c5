/** An amount as people read it: with at least the digits that its currency has, and every digit that it has beyond them. */
export function moneyShown(amount: string, currency: string): string {
  const [whole = '', fraction = ''] = amount.split('.');
  const digits = fraction.padEnd(digitsOf(currency), '0');
  return `${whole}${digits === '' ? '' : `.${digits}`} ${currency}`;
}

const known = new Map<string, number>();

/** Digits after the point that amounts of a currency have: 2 for EUR, 0 for JPY, 3 for KWD. */
function digitsOf(currency: string): number {
  const before = known.get(currency);
  if (before !== undefined) return before;
  // What is no code of three letters is a RangeError; the database may have such a currency.
  const isCode = /^[A-Za-z]{3}$/.test(currency);
  const digits = isCode
    ? new Intl.NumberFormat('en', { style: 'currency', currency }).resolvedOptions().maximumFractionDigits
    : undefined;
  known.set(currency, digits ?? 0);
  return digits ?? 0;
}
