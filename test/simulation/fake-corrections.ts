import type { FoundCall } from '../../src/store/persist/corrections-look-up.ts';
import type { ModelTax } from '../domain/exact-model.ts';
import type { StoredCall } from './lines.ts';

/** A row of `corrections`. */
export interface StoredEntry {
  id: string;
  kind: 'reversing' | 'new' | 'attaching';
  uniqueid: string;
  follows: string;
  late_entry: string | null;
  customer: number;
  charged: string;
  calls: number;
  invoice: number | null;
  invoice_cost: string;
  invoice_tax: string;
  invoice_calls: number;
  late: boolean;
  cost: string;
  currency: string;
  tax: string;
  taxes: string;
  messages: number;
  time: number;
  update_balance: number;
  update_invoices: number;
  system_rate: string;
  currency_rate: string;
  customer_currency: string;
  customer_rate: string;
  invoice_currency: string | null;
  invoice_rate: string | null;
  tax_terms: (ModelTax & { id: number })[] | null;
  fingerprint: string | null;
  booked_by: string;
  why: string | null;
}

/** The entries that the statement `persist.book-correction` is given. */
export function entriesIn(json: unknown): StoredEntry[] {
  const rows = JSON.parse(String(json)) as (StoredEntry & { place: number })[];
  return rows.map(({ place, fingerprint, ...row }) => ({
    ...row,
    fingerprint: fingerprint?.replace('\\x', '') ?? null,
  }));
}

/** The table `corrections` with its unique keys. */
export class FakeCorrections {
  readonly entries: StoredEntry[] = [];

  find(id: string): StoredEntry | undefined {
    return this.entries.find((entry) => entry.id === id);
  }

  /** The answer of the statement `persist.read-corrected-call`, but for the call. */
  found(uniqueid: string, id: string): Omit<FoundCall, 'call'> {
    return {
      entries: this.entries.filter((entry) => entry.uniqueid === uniqueid),
      own: this.find(id) ?? null,
      isPruned: false,
    };
  }

  /** The last entry in the line of a call, '' for the call itself. */
  latestOf(uniqueid: string): string {
    const mine = this.entries.filter((entry) => entry.uniqueid === uniqueid);
    const followed = new Set(mine.map(({ follows }) => follows));
    return mine.find(({ id }) => !followed.has(id))?.id ?? '';
  }

  /** Whether something late has been put on an invoice or taken back. */
  hasTaken(uniqueid: string, late: string): boolean {
    return this.entries.some((entry) => entry.uniqueid === uniqueid && entry.late_entry === late);
  }

  /** Those of the entries of a correction that none of the keys keeps out; the second needs the first. */
  admitted(entries: readonly StoredEntry[]): StoredEntry[] {
    const refused = entries.findIndex((entry) => !this.admits(entry));
    return refused < 0 ? [...entries] : entries.slice(0, refused);
  }

  protected admits({ id, uniqueid, follows, late_entry }: StoredEntry): boolean {
    const isFollowed = this.entries.some((other) => other.uniqueid === uniqueid && other.follows === follows);
    const isTaken = late_entry !== null && this.hasTaken(uniqueid, late_entry);
    return !isFollowed && !isTaken && this.find(id) === undefined;
  }
}

/** What corrections read of a stored call. */
export function correctedCall(row: StoredCall | undefined): FoundCall['call'] {
  if (row === undefined) return null;
  const { scustomer, tax_terms, ...call } = row;
  return { ...call, customer: scustomer, tax_terms: tax_terms as StoredEntry['tax_terms'] };
}
