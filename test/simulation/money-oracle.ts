import { millionths } from '../domain/exact-model.ts';
import type { Billing } from './billing.ts';
import { entryProblems, followsFromTerms } from './correction-oracle.ts';
import type { StoredEntry } from './fake-corrections.ts';
import type { StoredCall } from './lines.ts';

interface Ledger {
  billing: Billing;
  calls: readonly StoredCall[];
  corrections: { readonly entries: readonly StoredEntry[] };
}

/** What a call or an entry has moved. */
type Moved = Pick<StoredEntry, 'charged' | 'calls' | 'invoice_cost' | 'invoice_tax' | 'invoice_calls'>;

/**
 * Where the money does not add up: what was charged twice, not at all, or not on the terms on record. Computed in
 * fractions of whole numbers: nothing here may come from src, or a wrong sum there would prove itself.
 */
export function moneyProblems(ledger: Ledger): string[] {
  const wrong = ledger.calls.filter((call) => !followsFromTerms(call));
  return [
    ...ledger.calls.flatMap((call) => entryProblems(call, ledger.corrections.entries)),
    ...wrong.map(({ uniqueid }) => `the amounts of ${uniqueid} do not follow from its terms`),
    ...customerProblems(ledger),
    ...invoiceProblems(ledger),
  ];
}

/** Everything that has moved a balance or an invoice. */
function movements({ calls, corrections }: Ledger): (Moved & { customer: number; invoice: number | null })[] {
  return [
    ...calls.map((call) => ({
      ...call,
      customer: call.scustomer,
      calls: call.update_balance,
      invoice: call.update_invoices === 1 ? call.invoice : null,
      invoice_calls: 1,
    })),
    ...corrections.entries,
  ];
}

function customerProblems(ledger: Ledger): string[] {
  return [...ledger.billing.customers].flatMap(([id, customer]) => {
    const mine = movements(ledger).filter((moved) => moved.customer === id && moved.calls !== 0);
    const due = sum(mine, 'charged');
    const isRight =
      customer.charged === due &&
      customer.balance === customer.opening - due &&
      customer.calls === count(mine, 'calls');
    return isRight ? [] : [`customer ${id}: ${customer.charged} charged, calls and entries say ${due}`];
  });
}

function invoiceProblems(ledger: Ledger): string[] {
  return [...ledger.billing.invoices].flatMap(([id, invoice]) => {
    const mine = movements(ledger).filter((moved) => moved.invoice === id);
    const cost = sum(mine, 'invoice_cost');
    const tax = sum(mine, 'invoice_tax');
    const calls = count(mine, 'invoice_calls');
    const isRight = invoice.cost === cost && invoice.tax === tax && invoice.calls === calls;
    return isRight
      ? []
      : [`invoice ${id}: ${invoice.cost} + ${invoice.tax}, calls and entries say ${cost} + ${tax}`];
  });
}

function sum(movements: readonly Moved[], name: 'charged' | 'invoice_cost' | 'invoice_tax'): bigint {
  return movements.reduce((total, moved) => total + millionths(moved[name]), 0n);
}

function count(movements: readonly Moved[], name: 'calls' | 'invoice_calls'): number {
  return movements.reduce((total, moved) => total + moved[name], 0);
}
