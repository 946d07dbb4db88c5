import type { Billing } from './billing.ts';

/** The terms of a batch, as the worker writes them beside it; a list that is missing is empty. */
export interface WrittenTerms {
  currencies: { code: string; rate: string | null }[];
  customers: number[];
  customerCurrencies: (string | null)[];
  peers?: { id: number }[];
  taxes?: { id: number; rate: string; flat: string; currency: string | null }[];
  invoices?: number[];
  invoiceCustomers?: number[];
  invoiceCurrencies?: (string | null)[];
  invoicesOpen?: boolean[];
  uncovered?: { customer: number; start: number }[];
  next?: { customer: number; start: number; invoice: number | null }[];
  /** Of corrections: whose invoices were looked through in vain, and in which currency; null is any. */
  withoutInvoice?: { customer: number; currency: string | null }[];
}

/** What of the terms no longer holds, null if everything does: the checks that the real statement makes. */
export function termsProblem(terms: WrittenTerms, billing: Billing): string | null {
  const { currencies, customers, peers, taxes, invoices } = billing;
  const rateHolds = terms.currencies.every(({ code, rate }) => (currencies.get(code) ?? null) === rate);
  if (!rateHolds) return 'a currency rate moved';
  const customerHolds = terms.customers.every(
    (id, index) => (customers.get(id)?.currency ?? null) === terms.customerCurrencies[index],
  );
  if (!customerHolds) return 'a customer changed';
  if (terms.peers?.some(({ id }) => !peers.has(id))) return 'a peer vanished';
  const taxHolds = (terms.taxes ?? []).every(({ id, rate, flat, currency }) => {
    const now = taxes.get(id);
    return now?.rate === rate && now.flat === flat && now.currency === currency;
  });
  if (!taxHolds) return 'a tax changed';
  const invoiceHolds = (terms.invoices ?? []).every((id, index) => {
    const now = invoices.get(id);
    return (
      now?.customer === terms.invoiceCustomers?.[index] &&
      now?.currency === terms.invoiceCurrencies?.[index] &&
      (now?.open || !terms.invoicesOpen?.[index])
    );
  });
  if (!invoiceHolds) return 'an invoice changed';
  const opened = terms.uncovered?.some(({ customer, start }) =>
    [...invoices.values()].some(
      (now) => now.customer === customer && now.open && now.start <= start && start < now.end,
    ),
  );
  const openedAtAll = terms.withoutInvoice?.some(({ customer, currency }) =>
    openInvoicesOf(billing, customer).some((now) => currency === null || now.currency === currency),
  );
  if (opened === true || openedAtAll === true) return 'an invoice was opened';
  const nextHolds = (terms.next ?? []).every(({ customer, start, invoice }) => {
    const [next] = openInvoicesOf(billing, customer).filter((now) => now.start > start);
    return (next?.id ?? null) === invoice;
  });
  return nextHolds ? null : 'another invoice is next';
}

/** Those of a customer, in the order in which they take calls. */
export function openInvoicesOf({ invoices }: Billing, customer: number) {
  return [...invoices]
    .map(([id, invoice]) => ({ id, ...invoice }))
    .filter((invoice) => invoice.customer === customer && invoice.open)
    .sort((a, b) => a.start - b.start || a.id - b.id);
}
