import { charged, converted, fraction, millionths, plainText } from '../domain/exact-model.ts';
import type { Billing } from './billing.ts';
import type { StoredEntry } from './fake-corrections.ts';
import type { StoredCall } from './lines.ts';
import { openInvoicesOf } from './terms.ts';

/** What decides the amounts of a call or a new entry. */
type Charged = Pick<
  StoredCall,
  | 'cost'
  | 'tax'
  | 'charged'
  | 'invoice_cost'
  | 'invoice_tax'
  | 'tax_terms'
  | 'system_rate'
  | 'currency_rate'
  | 'customer_rate'
  | 'invoice_rate'
  | 'update_balance'
  | 'update_invoices'
>;

/** Whether the amounts follow from the terms on record. */
export function followsFromTerms(one: Charged): boolean {
  const toward = (target: string) =>
    charged(one.cost, one.tax_terms ?? [], { system: one.system_rate, call: one.currency_rate, target });
  const customer = toward(one.customer_rate);
  const invoice = one.update_invoices === 1 && one.invoice_rate !== null ? toward(one.invoice_rate) : null;
  const due = {
    tax: customer.tax,
    charged: one.update_balance === 1 ? customer.cost + customer.taxThere : 0n,
    invoice_cost: invoice?.cost ?? 0n,
    invoice_tax: invoice?.taxThere ?? 0n,
  };
  return Object.entries(due).every(([name, amount]) => plainText(amount) === one[name as keyof typeof due]);
}

/** What of a call is in force, as its entries tell it. */
interface InForce {
  customer: number;
  currency: string;
  charged: string;
  cost: string;
  tax: string;
  calls: number;
  /** Where it is billed. */
  on: { invoice: number; cost: string; tax: string; currency: string | null } | { late: string } | 'nowhere';
}

const REVERSAL = '#reversal';

/**
 * What is wrong with the entries of a call: its line has a fork or a gap, something is taken back twice or not as it was
 * booked, or late amounts are taken twice. Nothing here may come from src.
 */
export function entryProblems(call: StoredCall, entries: readonly StoredEntry[]): string[] {
  const mine = entries.filter(({ uniqueid }) => uniqueid === call.uniqueid);
  const line = lineOf(mine);
  if (line.length !== mine.length) return [`the entries of ${call.uniqueid} are no line`];
  const judge = new Line(call);
  for (const entry of line) judge.add(entry);
  return judge.problems.map((problem) => `${call.uniqueid}: ${problem}`);
}

/** As far as each entry is followed by one other. */
function lineOf(entries: readonly StoredEntry[]): StoredEntry[] {
  const line: StoredEntry[] = [];
  for (let last = ''; ; ) {
    const [next, other] = entries.filter(({ follows }) => follows === last);
    if (next === undefined || other !== undefined || line.includes(next)) return line;
    line.push(next);
    last = next.id;
  }
}

class Line {
  readonly problems: string[] = [];
  #inForce: InForce | null;
  /** Of a late thing, which may be taken once: its amounts and what its invoice counts. */
  readonly #late = new Map<string, Pick<StoredEntry, 'cost' | 'tax' | 'currency'> & { calls: number }>();
  /** The id of an update of which only the reversing entry has come yet. */
  #half: string | null = null;

  constructor(call: StoredCall) {
    const isLate = call.update_invoices === 1 && call.invoice === null;
    this.#inForce = this.#standing({ ...call, customer: call.scustomer }, isLate ? '' : null);
  }

  add(entry: StoredEntry): void {
    if (this.#half !== null && entry.id !== this.#half) this.#say(entry, 'parts an update');
    this.#half = null;
    switch (entry.kind) {
      case 'reversing':
        this.#reverse(entry);
        break;
      case 'new':
        this.#renew(entry);
        break;
      default:
        this.#attach(entry);
    }
  }

  #say({ id }: StoredEntry, what: string): void {
    this.problems.push(`${id} ${what}`);
  }

  #standing(
    one: Charged & {
      customer: number;
      currency: string;
      invoice: number | null;
      invoice_currency: string | null;
    },
    late: string | null,
  ): InForce {
    const { customer, currency, cost, tax, update_balance: calls } = one;
    if (late !== null) this.#late.set(late, { cost, tax, currency, calls: 1 });
    const { invoice, invoice_cost, invoice_tax, invoice_currency } = one;
    const on =
      invoice === null || one.update_invoices === 0
        ? ('nowhere' as const)
        : { invoice, cost: invoice_cost, tax: invoice_tax, currency: invoice_currency };
    return { customer, currency, charged: one.charged, cost, tax, calls, on: late === null ? on : { late } };
  }

  #reverse(entry: StoredEntry): void {
    const before = this.#inForce;
    this.#inForce = null;
    if (entry.id.endsWith(REVERSAL)) this.#half = entry.id.slice(0, -REVERSAL.length);
    if (before === null) {
      this.#say(entry, 'takes back what is not in force');
      return;
    }
    const isSame =
      entry.customer === before.customer &&
      entry.currency === before.currency &&
      entry.calls === -before.calls &&
      isNegative(entry.charged, before.charged) &&
      isNegative(entry.cost, before.cost) &&
      isNegative(entry.tax, before.tax);
    if (!isSame) this.#say(entry, 'takes back something else than what is in force');
    if (!this.#isTakenOff(entry, before.on))
      this.#say(entry, 'takes it back elsewhere than where it was billed');
    const { cost, tax, currency } = entry;
    if (entry.late) this.#late.set(entry.id, { cost, tax, currency, calls: -1 });
  }

  #isTakenOff(entry: StoredEntry, on: InForce['on']): boolean {
    if (on === 'nowhere') return isOnNone(entry) && !entry.late && entry.late_entry === null;
    if ('late' in on)
      return isOnNone(entry) && !entry.late && entry.late_entry === on.late && this.#take(on.late);
    if (entry.late) return isOnNone(entry) && entry.late_entry === null;
    return (
      entry.late_entry === null &&
      entry.invoice !== null &&
      entry.invoice_calls === -1 &&
      entry.invoice_currency === on.currency &&
      isNegative(entry.invoice_cost, on.cost) &&
      isNegative(entry.invoice_tax, on.tax)
    );
  }

  #renew(entry: StoredEntry): void {
    if (this.#inForce !== null) {
      if (entry.charged !== '0' || entry.calls !== 0 || !isOnNone(entry) || entry.late)
        this.#say(entry, 'books what is in force once more');
      return;
    }
    if (entry.follows !== entry.id + REVERSAL) this.#say(entry, 'follows a void');
    if (!followsFromTerms(entry)) this.#say(entry, 'has amounts that do not follow from its terms');
    const count = entry.invoice === null ? 0 : 1;
    if (entry.calls !== entry.update_balance || entry.invoice_calls !== count)
      this.#say(entry, 'counts wrongly');
    if (entry.late !== (entry.update_invoices === 1 && entry.invoice === null))
      this.#say(entry, 'does not say rightly whether it is late');
    this.#inForce = this.#standing(entry, entry.late ? entry.id : null);
  }

  #attach(entry: StoredEntry): void {
    const late = this.#late.get(entry.late_entry ?? 'none');
    if (entry.late_entry === null || late === undefined || !this.#take(entry.late_entry)) {
      this.#say(entry, 'puts on an invoice what is not late');
      return;
    }
    const toward = (amount: string) =>
      converted(fraction(amount), fraction(entry.currency_rate), fraction(entry.invoice_rate ?? '0'));
    const isRight =
      entry.calls === 0 &&
      entry.charged === '0' &&
      entry.invoice !== null &&
      entry.invoice_calls === late.calls &&
      entry.cost === late.cost &&
      entry.tax === late.tax &&
      entry.currency === late.currency &&
      millionths(entry.invoice_cost) === toward(late.cost) &&
      millionths(entry.invoice_tax) === toward(late.tax);
    if (!isRight) this.#say(entry, 'puts something else on an invoice than what was late');
    const { invoice, invoice_cost: cost, invoice_tax: tax, invoice_currency: currency } = entry;
    const on = this.#inForce?.on;
    if (this.#inForce !== null && invoice !== null && typeof on === 'object' && 'late' in on)
      if (on.late === entry.late_entry) this.#inForce.on = { invoice, cost, tax, currency };
  }

  #take(late: string): boolean {
    return this.#late.delete(late);
  }
}

function isOnNone({ invoice, invoice_cost, invoice_tax, invoice_calls }: StoredEntry): boolean {
  return invoice === null && invoice_cost === '0' && invoice_tax === '0' && invoice_calls === 0;
}

function isNegative(one: string, other: string): boolean {
  return millionths(one) === -millionths(other);
}

/** What is wrong with entries at the moment in which they are booked: what they touch must be open, and today's. */
export function bookingProblems(entries: readonly StoredEntry[], billing: Billing): string[] {
  return entries.flatMap((entry) => {
    const { id, kind, customer, currency, invoice, late } = entry;
    const open = openInvoicesOf(billing, customer);
    const problems: string[] = [];
    const taking = open.find((one) => one.id === invoice);
    if (invoice !== null && taking === undefined) problems.push(`${id} is on an invoice that is not open`);
    if (taking !== undefined && taking.currency !== entry.invoice_currency)
      problems.push(`${id} is on an invoice of another currency`);
    const fitting = open.filter((one) => kind === 'new' || one.currency === entry.invoice_currency);
    if (late && fitting.length > 0) problems.push(`${id} is late although an invoice is open`);
    const isMoving = entry.calls !== 0 || invoice !== null;
    if (entry.calls !== 0 && billing.customers.get(customer)?.currency !== entry.customer_currency)
      problems.push(`${id} moves another currency than the customer's`);
    if (kind === 'new' && isMoving && billing.currencies.get(currency) !== entry.currency_rate)
      problems.push(`${id} is charged at the rate ${entry.currency_rate}, not today's`);
    return problems;
  });
}
