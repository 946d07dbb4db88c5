import type { ChargedTax, StoryCall } from '../../calls/story.ts';
import { moneyShown } from '../../domain/money-shown.ts';
import type { InvoiceOfCall } from '../../store/calls/read.ts';
import { customerOf } from '../dead/consequences.ts';
import { printLine } from '../print.ts';

/** Prints what a call was charged, tax by tax, where it was billed, and the rates that this follows from. */
export function printCharge(call: StoryCall, invoices: readonly InvoiceOfCall[]): void {
  printLine(`  cost ${moneyShown(call.cost, call.currency)}`);
  for (const tax of call.charged_taxes) printLine(`  ${taxLine(tax, call.currency)}`);
  if (call.charged_taxes.length > 1) printLine(`  taxes in all ${moneyShown(call.tax, call.currency)}`);
  const customer = customerOf(call.scustomer, call.customer_name);
  printLine(
    call.update_balance === 1
      ? `  charged ${moneyShown(call.charged, call.customer_currency)} to customer ${customer}`
      : '  charged nothing: update_balance is 0',
  );
  printLine(`  ${invoiceLine(call, invoices)}`);
  const rates = ratesOf(call);
  if (rates.length > 1) printLine(`  rates per unit of the system currency then: ${rates.join(', ')}`);
}

function taxLine({ id, name, rate, flat, currency, amount }: ChargedTax, ofCall: string): string {
  const parts = [
    ...(Number(rate) === 0 ? [] : [`${rate} %`]),
    ...(Number(flat) === 0 ? [] : [`${flat} ${currency ?? '(system currency)'} a call`]),
  ];
  return `tax ${id}${name === null ? '' : ` ${name}`}: ${parts.join(' and ') || '0 %'} = ${moneyShown(amount, ofCall)}`;
}

function invoiceLine(call: StoryCall, invoices: readonly InvoiceOfCall[]): string {
  const { invoice, update_invoices, invoice_currency, invoice_cost, invoice_tax, invoice_late } = call;
  if (invoice === null)
    return update_invoices === 1 ? 'on no invoice: none took it' : 'on no invoice: update_invoices is 0';
  const found = invoices.find(({ id }) => id === invoice);
  const state = found === undefined ? 'does not exist any more' : `${found.status}, ${periodOf(found)}`;
  if (update_invoices === 0 || invoice_currency === null)
    return `names invoice ${invoice} (${state}), which gained nothing`;
  const gained = `cost ${moneyShown(invoice_cost, invoice_currency)}, tax ${moneyShown(invoice_tax, invoice_currency)}`;
  const late = invoice_late ? '; its own period was closed when it came' : '';
  return `on invoice ${invoice} (${state}): ${gained}${late}`;
}

function periodOf({ period_start, period_end }: InvoiceOfCall): string {
  const day = (date: Date) => date.toISOString().slice(0, 10);
  return `${day(period_start)} to ${day(period_end)}`;
}

/** One for each currency that had a part in it. */
function ratesOf(call: StoryCall): string[] {
  const rates = new Map([
    [call.currency, call.currency_rate],
    [call.customer_currency, call.customer_rate],
  ]);
  if (call.invoice_currency !== null && call.invoice_rate !== null)
    rates.set(call.invoice_currency, call.invoice_rate);
  for (const { currency, currency_rate } of call.charged_taxes)
    if (currency !== null && currency_rate !== null) rates.set(currency, currency_rate);
  return [...rates].map(([currency, rate]) => `${currency} ${rate}`);
}
