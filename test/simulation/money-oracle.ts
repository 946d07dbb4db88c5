import { charged, millionths, plainText } from '../domain/exact-model.ts';
import type { Billing } from './billing.ts';
import type { StoredCall } from './lines.ts';

interface Ledger {
  billing: Billing;
  calls: readonly StoredCall[];
}

/**
 * Where the money does not add up: what was charged twice, not at all, or not on the terms on record. Computed in
 * fractions of whole numbers: nothing here may come from src, or a wrong sum there would prove itself.
 */
export function moneyProblems(ledger: Ledger): string[] {
  const wrong = ledger.calls.filter((call) => !followsFromTerms(call));
  return [
    ...wrong.map(({ uniqueid }) => `the amounts of ${uniqueid} do not follow from its terms`),
    ...customerProblems(ledger),
    ...invoiceProblems(ledger),
  ];
}

function followsFromTerms(call: StoredCall): boolean {
  const toward = (target: string) =>
    charged(call.cost, call.tax_terms ?? [], { system: call.system_rate, call: call.currency_rate, target });
  const customer = toward(call.customer_rate);
  const invoice = call.update_invoices === 1 && call.invoice_rate !== null ? toward(call.invoice_rate) : null;
  const due = {
    tax: customer.tax,
    charged: call.update_balance === 1 ? customer.cost + customer.taxThere : 0n,
    invoice_cost: invoice?.cost ?? 0n,
    invoice_tax: invoice?.taxThere ?? 0n,
  };
  return Object.entries(due).every(([name, amount]) => plainText(amount) === call[name as keyof typeof due]);
}

function customerProblems({ billing, calls }: Ledger): string[] {
  return [...billing.customers].flatMap(([id, customer]) => {
    const mine = calls.filter((call) => call.scustomer === id && call.update_balance === 1);
    const due = sum(mine, 'charged');
    const isRight =
      customer.charged === due &&
      customer.balance === customer.opening - due &&
      customer.calls === mine.length;
    return isRight ? [] : [`customer ${id}: ${customer.charged} charged, the calls say ${due}`];
  });
}

function invoiceProblems({ billing, calls }: Ledger): string[] {
  return [...billing.invoices].flatMap(([id, invoice]) => {
    const mine = calls.filter((call) => call.invoice === id && call.update_invoices === 1);
    const cost = sum(mine, 'invoice_cost');
    const tax = sum(mine, 'invoice_tax');
    const isRight = invoice.cost === cost && invoice.tax === tax && invoice.calls === mine.length;
    return isRight ? [] : [`invoice ${id}: ${invoice.cost} + ${invoice.tax}, the calls say ${cost} + ${tax}`];
  });
}

function sum(calls: readonly StoredCall[], name: 'charged' | 'invoice_cost' | 'invoice_tax'): bigint {
  return calls.reduce((total, call) => total + millionths(call[name]), 0n);
}
