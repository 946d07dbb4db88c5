import { amount, plain, taxOn } from '../domain/money.ts';
import type { Entry, TaxTerm, Terms } from '../store/calls/entries.ts';
import { type CallDetail, type CallRecord, readCall } from '../store/calls/read.ts';
import type { Sql } from '../store/sql.ts';

/** A tax as it was charged, with what it came to in the call's currency. */
export interface ChargedTax extends TaxTerm {
  amount: string;
}

/** An entry with its taxes one by one. */
export interface StoryEntry extends Omit<Entry, 'tax_terms'> {
  charged_taxes: ChargedTax[];
}

export interface StoryCall extends Omit<CallDetail, 'tax_terms'> {
  charged_taxes: ChargedTax[];
}

/** Everything that is known of a call: what `call show` and its page in the console tell. */
export interface CallStory extends Omit<CallRecord, 'call' | 'entries'> {
  uniqueid: string;
  call: StoryCall | null;
  entries: StoryEntry[];
}

/** Undefined for a uniqueid of which nothing is stored but perhaps dead letters. */
export async function readCallStory(sql: Sql, uniqueid: string): Promise<CallStory | undefined> {
  const { call, entries, ...rest } = await readCall(sql, uniqueid);
  if (call === null && !rest.pruned) return undefined;
  return {
    uniqueid,
    ...rest,
    call: call === null ? null : withTaxes(call),
    entries: entries.map(withTaxes),
  };
}

function withTaxes<Row extends Terms & { cost: string }>({ tax_terms, ...row }: Row) {
  return { ...row, charged_taxes: tax_terms.map((tax) => ({ ...tax, amount: amountOf(tax, row) })) };
}

/** Computed as it was when the call was charged, from the terms that are recorded with it. */
function amountOf(
  { rate, flat, currency, currency_rate }: TaxTerm,
  { cost, currency_rate: ofCall, system_rate }: Omit<Terms, 'tax_terms'> & { cost: string },
): string {
  const ofFlat = currency === null ? system_rate : (currency_rate ?? system_rate);
  return plain(taxOn(amount(cost), amount(rate), amount(flat), amount(ofCall), amount(ofFlat)));
}
