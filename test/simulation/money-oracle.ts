import { amounts } from '../../src/domain/charge.ts';
import { type Amount, amount, plain, ZERO } from '../../src/domain/money.ts';
import type { Billing } from './billing.ts';
import type { StoredCall } from './lines.ts';

interface Ledger {
  billing: Billing;
  calls: readonly StoredCall[];
}

/** Where the money does not add up: what was charged twice, not at all, or not on the terms on record. */
export function moneyProblems(ledger: Ledger): string[] {
  const wrong = ledger.calls.filter((call) => !followsFromTerms(call));
  return [
    ...wrong.map(({ uniqueid }) => `the amounts of ${uniqueid} do not follow from its terms`),
    ...customerProblems(ledger),
    ...invoiceProblems(ledger),
  ];
}

function followsFromTerms(call: StoredCall): boolean {
  const taxes = (call.tax_terms ?? []).map(({ id, rate, flat }) => ({
    id,
    name: '',
    rate: amount(rate),
    flat: amount(flat),
  }));
  const due = amounts(call, {
    systemRate: amount(call.system_rate),
    currencyRate: amount(call.currency_rate),
    customerCurrency: call.customer_currency,
    customerRate: amount(call.customer_rate),
    invoiceCurrency: call.invoice_currency,
    invoiceRate: call.invoice_rate === null ? null : amount(call.invoice_rate),
    taxes,
  });
  return (
    plain(due.tax) === call.tax &&
    plain(due.charged) === call.charged &&
    plain(due.invoiceCost) === call.invoice_cost &&
    plain(due.invoiceTax) === call.invoice_tax
  );
}

function customerProblems({ billing, calls }: Ledger): string[] {
  return [...billing.customers].flatMap(([id, customer]) => {
    const mine = calls.filter((call) => call.scustomer === id && call.update_balance === 1);
    const charged = sum(mine, 'charged');
    const isRight =
      customer.charged.equals(charged) &&
      customer.balance.equals(customer.opening.minus(charged)) &&
      customer.calls === mine.length;
    return isRight ? [] : [`customer ${id}: ${customer.charged} charged, the calls say ${charged}`];
  });
}

function invoiceProblems({ billing, calls }: Ledger): string[] {
  return [...billing.invoices].flatMap(([id, invoice]) => {
    const mine = calls.filter((call) => call.invoice === id && call.update_invoices === 1);
    const cost = sum(mine, 'invoice_cost');
    const tax = sum(mine, 'invoice_tax');
    const isRight = invoice.cost.equals(cost) && invoice.tax.equals(tax) && invoice.calls === mine.length;
    return isRight ? [] : [`invoice ${id}: ${invoice.cost} + ${invoice.tax}, the calls say ${cost} + ${tax}`];
  });
}

function sum(calls: readonly StoredCall[], name: 'charged' | 'invoice_cost' | 'invoice_tax'): Amount {
  return calls.reduce((total, call) => total.plus(amount(call[name])), ZERO);
}
