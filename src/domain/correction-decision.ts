import { type Charge, charge, type Invoice, type References } from './charge.ts';
import { isOutside } from './confinement.ts';
import { type Correction, movesMoney } from './correction.ts';
import { billsOfCorrection } from './correction-bill.ts';
import { type Entry, REVERSAL } from './entry.ts';
import { amount, plain, ZERO } from './money.ts';
import type { Outcome } from './outcome.ts';
import { type Billed, type CallOnBooks, type Standing, standingOf } from './standing.ts';
import type { ParameterError } from './validate.ts';

/** What the database has of the call that a correction is about. */
export interface CallRecord {
  /** Null where no such call is stored. */
  call: CallOnBooks | null;
  /** In their order. */
  entries: readonly Entry[];
  isPruned: boolean;
  /** The entry that has the correction's id already, of whatever call. */
  own: Entry | null;
}

/** What a correction becomes: entries to be booked, or an answer. */
export type CorrectionDecision =
  | {
      kind: 'book';
      /** One or two: each follows the one before it. The last one has the correction's id. */
      entries: readonly [Entry] | readonly [Entry, Entry];
      /** Customers whose invoices were looked through in vain, and in which currency; null is any. */
      withoutInvoice: readonly { customer: number; currency: string | null }[];
    }
  | { kind: 'answer'; outcome: Outcome };

/** The answer to a correction of a call that another one has changed meanwhile. */
export const AT_THE_SAME_TIME: Outcome = refused(
  'uniqueid',
  'another correction of this call was booked at the same time',
);

/**
 * What can be said of a correction before anything else is looked at: it is booked already, or cannot be. Null where what it
 * refers to has to be known.
 */
export function answerOf(
  correction: Correction,
  { call, entries, isPruned, own }: CallRecord,
): Outcome | null {
  if (own !== null)
    return own.fingerprint === correction.fingerprint
      ? { kind: 'duplicate', ...billsOfCorrection(own.id, entries) }
      : refused('message_id', 'another entry has this id, with different content');
  if (call === null)
    return isPruned
      ? refused('uniqueid', 'the call has been pruned, and can be corrected no more')
      : { kind: 'unknown call' };
  const standing = standingOf(call, entries);
  const { customer } = correction.changes;
  const { confinement, expected } = correction;
  if (
    confinement &&
    [standing.inForce.customer, ...(customer === null ? [] : [customer])].some((scustomer) =>
      isOutside(confinement, { machine: call.machine, scustomer }),
    )
  )
    return { kind: 'forbidden', isOutside: true };
  if (expected !== undefined && expected !== standing.latest)
    return refused('uniqueid', 'the call has been corrected since it was shown');
  return standing.isVoided
    ? refused('uniqueid', 'the call is voided, and takes no further correction')
    : null;
}

/**
 * Decides a correction (docs/interface.md, section 9): what is in force is reversed where it was booked, and booked anew on
 * today's terms.
 *
 * @param call that it is about, not voided
 * @param references its `openInvoices` are all of a customer's, whatever their period
 */
export function decideCorrection(
  correction: Correction,
  call: CallOnBooks,
  entries: readonly Entry[],
  references: References,
): CorrectionDecision {
  const standing = standingOf(call, entries);
  if (correction.operation === 'update' && !movesMoney(correction.changes))
    return { kind: 'book', entries: [asIs(correction, standing)], withoutInvoice: [] };
  const currency = references.customers.get(standing.inForce.customer);
  if (currency !== standing.inForce.terms.customerCurrency)
    return { kind: 'answer', outcome: otherCustomer(standing, currency) };

  const reversing = reversal(correction, call, standing, references);
  if (correction.operation === 'void')
    return { kind: 'book', entries: [reversing], withoutInvoice: lateOf(reversing, standing.billed) };
  const renewed = renewal(correction, call, standing, references);
  if (renewed.kind === 'refused')
    return { kind: 'answer', outcome: { kind: 'rejected', errors: renewed.errors } };
  const withoutInvoice = lateOf(reversing, standing.billed);
  if (renewed.entry.late) withoutInvoice.push({ customer: renewed.entry.customer, currency: null });
  return { kind: 'book', entries: [reversing, renewed.entry], withoutInvoice };
}

function refused(key: string, message: string): Outcome {
  return { kind: 'rejected', errors: [{ key, message }] };
}

function otherCustomer({ inForce }: Standing, currency: string | undefined): Outcome {
  const { customer, terms } = inForce;
  return refused(
    'uniqueid',
    currency === undefined
      ? `customer ${customer}, who was charged for the call, does not exist any more`
      : `customer ${customer} was charged in ${terms.customerCurrency} and has ${currency} now: nothing can be given back`,
  );
}

/** What every entry of a correction has. */
function headOf(correction: Correction) {
  const { uniqueid, fingerprint, bookedBy, why } = correction;
  return { uniqueid, fingerprint, bookedBy, why };
}

/** The call as it was charged, with other messages or included time: it moves nothing. */
function asIs(correction: Correction, { latest, inForce, messages, time }: Standing): Entry {
  const { customer, currency, taxes, updateBalance, updateInvoices, terms } = inForce;
  const { changes } = correction;
  return {
    ...headOf(correction),
    ...{ customer, currency, taxes, updateBalance, updateInvoices },
    terms: { ...terms, invoiceCurrency: null, invoiceRate: null },
    id: correction.id,
    kind: 'new',
    follows: latest,
    messages: changes.messages ?? messages,
    time: changes.time ?? time,
    cost: ZERO,
    tax: ZERO,
    charged: ZERO,
    calls: 0,
    ...ON_NO_INVOICE,
    lateEntry: null,
    late: false,
  };
}

const ON_NO_INVOICE = { invoice: null, invoiceCost: ZERO, invoiceTax: ZERO, invoiceCalls: 0 };

/** Takes back what is in force, where it was booked; what a closed invoice has is taken back on an open one. */
function reversal(
  correction: Correction,
  call: CallOnBooks,
  { latest, inForce, billed, messages, time }: Standing,
  references: References,
): Entry {
  const { customer, charged, cost, currency, tax, taxes, updateBalance, updateInvoices } = inForce;
  const isInvoiced = billed.kind === 'invoiced';
  const target = isInvoiced ? invoiceLike(billed, customer, call.start, references) : undefined;
  return {
    ...headOf(correction),
    ...{ customer, currency, taxes, updateBalance, updateInvoices, messages, time },
    terms: {
      ...inForce.terms,
      invoiceCurrency: isInvoiced ? billed.currency : null,
      invoiceRate: isInvoiced ? billed.rate : null,
    },
    id: correction.operation === 'void' ? correction.id : correction.id + REVERSAL,
    kind: 'reversing',
    follows: latest,
    lateEntry: billed.kind === 'late' ? billed.entry : null,
    charged: charged.negated(),
    calls: updateBalance === 1 ? -1 : 0,
    cost: cost.negated(),
    tax: tax.negated(),
    ...(isInvoiced && target !== undefined
      ? {
          invoice: target.id,
          invoiceCost: billed.cost.negated(),
          invoiceTax: billed.tax.negated(),
          invoiceCalls: -1,
        }
      : ON_NO_INVOICE),
    late: isInvoiced && target === undefined,
  };
}

/** The invoice that the amounts are on if it is open, else another open one in the same currency. */
function invoiceLike(
  { invoice, currency }: Extract<Billed, { kind: 'invoiced' }>,
  customer: number,
  start: number,
  references: References,
): Invoice | undefined {
  const open = (references.openInvoices.get(customer) ?? []).filter((one) => one.currency === currency);
  return open.find(({ id }) => id === invoice) ?? forStart(open, start);
}

/** The one whose period covers the start of the call, else the earliest. */
function forStart(open: readonly Invoice[], start: number): Invoice | undefined {
  return open.find(({ periodStart, periodEnd }) => periodStart <= start && start < periodEnd) ?? open[0];
}

type Renewal = { kind: 'booked'; entry: Entry } | { kind: 'refused'; errors: ParameterError[] };

/** The call as it stands now, on today's terms. */
function renewal(
  correction: Correction,
  call: CallOnBooks,
  { inForce, billed, messages, time }: Standing,
  references: References,
): Renewal {
  const { changes } = correction;
  const customer = changes.customer ?? inForce.customer;
  const cost = changes.cost === null ? inForce.cost : amount(changes.cost);
  const currency = changes.currency ?? inForce.currency;
  const taxes = changes.taxes ?? inForce.taxes;
  const { updateBalance, updateInvoices } = inForce;
  const open = references.openInvoices.get(customer) ?? [];
  const before = billed.kind === 'invoiced' ? open.find(({ id }) => id === billed.invoice) : undefined;
  const invoice = updateInvoices === 1 ? (before ?? forStart(open, call.start)) : undefined;
  const charging = charge(
    {
      ...{ start: call.start, scustomer: customer, dcustomer: customer, peer: 0, invoice: invoice?.id ?? 0 },
      ...{ cost: plain(cost), currency, taxes },
      update_balance: updateBalance,
      update_invoices: updateInvoices,
    },
    // The invoice has been chosen.
    { ...references, openInvoices: new Map() },
  );
  if (charging.kind === 'refused') return { kind: 'refused', errors: charging.errors.map(inWordsOfUpdate) };
  return {
    kind: 'booked',
    entry: {
      ...headOf(correction),
      ...{ customer, cost, currency, taxes, updateBalance, updateInvoices },
      ...amountsOf(charging.charge),
      id: correction.id,
      kind: 'new',
      follows: correction.id + REVERSAL,
      lateEntry: null,
      calls: updateBalance === 1 ? 1 : 0,
      invoiceCalls: invoice === undefined ? 0 : 1,
      late: updateInvoices === 1 && invoice === undefined,
      messages: changes.messages ?? messages,
      time: changes.time ?? time,
    },
  };
}

function amountsOf({ tax, charged, invoice, invoiceCost, invoiceTax, terms }: Charge) {
  return { tax, charged, invoice, invoiceCost, invoiceTax, terms };
}

/** An update calls the customer otherwise, and names no invoice. */
function inWordsOfUpdate({ key, message }: ParameterError): ParameterError {
  const keys: Record<string, string> = { scustomer: 'customer', invoice: 'uniqueid' };
  return { key: keys[key] ?? key, message };
}

function lateOf({ late, customer }: Entry, billed: Billed): { customer: number; currency: string | null }[] {
  return late && billed.kind === 'invoiced' ? [{ customer, currency: billed.currency }] : [];
}
