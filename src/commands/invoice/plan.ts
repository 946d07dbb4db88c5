import { counted } from '../../plural.ts';
import type { AttachPlan } from '../../store/late/plan.ts';
import { printLine, printTable } from '../print.ts';

/** More rows than this are no table to read. */
const ROWS_SHOWN = 50;

/** How many late calls and corrections have an invoice to go to. */
export function countOf({ shares }: AttachPlan): number {
  return shares.reduce((sum, { calls, corrections }) => sum + calls + corrections, 0);
}

/** Prints what each invoice gains, and what is left out and why. */
export function printPlan(plan: AttachPlan, participle: string): void {
  const { shares, leftOut } = plan;
  printLine(`${counted(countOf(plan), 'late call')} ${participle}, corrections included`);
  if (shares.length > 0)
    printTable(
      ['customer', 'invoice', 'calls', 'corrections', 'cost', 'tax', 'currency'],
      shares
        .slice(0, ROWS_SHOWN)
        .map(({ customer, invoice, calls, corrections, cost, tax, currency }) => [
          ...[customer, invoice, calls, corrections, cost, tax, currency],
        ]),
    );
  if (shares.length > ROWS_SHOWN)
    printLine(`and ${counted(shares.length - ROWS_SHOWN, 'other invoice')} (--json shows all)`);
  for (const { customer, why, currency, count, cost, tax } of leftOut.slice(0, ROWS_SHOWN))
    printLine(`left out: ${count} of customer ${customer}, ${cost} ${currency} and ${tax} tax: ${why}`);
  if (leftOut.length > ROWS_SHOWN)
    printLine(
      `and ${counted(leftOut.length - ROWS_SHOWN, 'other customer')} with something left out (--json shows all)`,
    );
}
