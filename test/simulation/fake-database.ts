import { cdrFields } from '../../src/domain/cdr.ts';
import { customerRow, invoiceRow } from '../../src/domain/held.ts';
import type { Wanted } from '../../src/store/persist/look-up.ts';
import type { LockedRow } from '../../src/store/persist/row-locks.ts';
import type { Statement } from '../../src/store/sql.ts';
import { millionths } from '../domain/exact-model.ts';
import { type Billing, billingSystem } from './billing.ts';
import { correctedCall, entriesIn, FakeCorrections, type StoredEntry } from './fake-corrections.ts';
import { callsIn, type StoredCall, storedBill } from './lines.ts';
import { found } from './look-up.ts';
import { termsProblem, type WrittenTerms } from './terms.ts';

export interface StoredDeadLetter {
  reason: string;
  digest: string;
  body: string;
  deaths: number;
  verified: boolean;
  waits_for: string | null;
  error?: string | null;
  status?: 'dead' | 'resolved' | 'discarded';
  tried?: boolean;
}

/** A call whose note says so is refused by the database, for a reason that a batch cannot know before. */
export const POISON = 'poison';
/** So is this one, for a reason that says that it is nobody's fault. */
export const STUBBORN = 'stubborn';
/** So is a dead letter with this in its body and the reason `rejected`. */
export const UNKEEPABLE = 'unkeepable';
/** And this one with every reason, if it is not kept as bytes alone. */
export const UNREADABLE = 'unreadable';
/** And this one in every form, until the faults are over. */
export const UNKEEPABLE_FOR_NOW = 'unkeepable for now';

/** What is in the way of a row: a lock of somebody else, a trigger that says nothing, one that says it is the disk. */
export type Obstacle = 'locked' | 'vetoed' | 'refused';

/** What a failing statement throws: the shape in which the driver adapter hands on PostgreSQL's SQLSTATE. */
export function databaseError(sqlState: string, message: string): Error {
  return new Error(message, {
    cause: { kind: 'postgres', originalCode: sqlState, originalMessage: message },
  });
}

/** What the statement that writes a batch is given. */
export function written(
  values: readonly unknown[],
): [calls: StoredCall[], terms: WrittenTerms, deadLetters: StoredDeadLetter[]] {
  const [lines = '', terms = '', , deadLetters = '[]'] = values.map(String);
  return [callsIn(lines), JSON.parse(terms) as WrittenTerms, JSON.parse(deadLetters) as StoredDeadLetter[]];
}

/** Whoever watches what comes into the tables. */
export interface TableWatcher {
  stored: (call: StoredCall) => void;
  /** A correction: one entry or two. */
  booked: (entries: readonly StoredEntry[]) => void;
}

/** The tables, and the statements of the worker on them, each of which happens at once and whole or not at all. */
export class FakeDatabase {
  /** In the order of insertion. */
  readonly calls: StoredCall[] = [];
  readonly corrections: FakeCorrections = new FakeCorrections();
  readonly deadLetters = new Map<string, StoredDeadLetter>();
  readonly billing: Billing = billingSystem();
  down = false;
  /** Whether `UNKEEPABLE_FOR_NOW` still holds. */
  hostile = true;
  /** By the name of the row. */
  readonly obstacles = new Map<string, Obstacle>();
  /** Every row that ever had one. */
  readonly obstructed = new Set<string>();
  readonly #watcher: TableWatcher;

  constructor(watcher: TableWatcher) {
    this.#watcher = watcher;
  }

  find(uniqueid: string): StoredCall | undefined {
    return this.calls.find((call) => call.uniqueid === uniqueid);
  }

  /** Answers a statement, told by its name. */
  execute({ name }: Statement, values: readonly unknown[]): unknown[] {
    switch (name) {
      case 'persist.look-up':
      case 'persist.look-up-next':
        return [{ found: JSON.stringify(found(values as Wanted, this.calls, this.billing)) }];
      case 'persist.stored-calls':
        return this.#asSubmitted(JSON.parse(String(values[0])) as string[]);
      case 'persist.bills':
        return (JSON.parse(String(values[0])) as string[]).flatMap((uniqueid) => this.#billOf(uniqueid));
      case 'persist.write-calls':
      case 'persist.write':
        return [{ lost: this.write(...written(values)) }];
      case 'persist.read-corrected-call':
        return [{ found: JSON.stringify(this.#correctedCall(values as [string, string])) }];
      case 'persist.book-correction':
        return [{ booked: this.book(entriesIn(values[0]), JSON.parse(String(values[1])) as WrittenTerms) }];
      case 'persist.locked-rows':
        return this.#lockedAmong(values as number[][]);
      case 'dead-letters.mark-tried':
        return this.#markTried(`${values[0]} ${values[1]}`);
      case 'dead-letters.resolve-tried':
        return this.#close(`${values[0]} ${values[1]}`, 'resolved');
      case 'dead-letters.merge-tried':
        return this.#close(`${values[0]} ${values[1]}`, 'discarded');
      case 'dead-letters.is-resolved':
        return this.deadLetters.get(`${values[0]} ${values[1]}`)?.status === 'resolved' ? [{}] : [];
      case 'dead-letters.wait-for':
        return this.#waitFor(values.map(String));
      default:
        throw databaseError('42601', `the simulated database does not know the statement ${name}`);
    }
  }

  /** Stores calls and dead letters and moves the money; returns the uniqueids that were there before. */
  write(
    calls: readonly StoredCall[],
    terms: WrittenTerms,
    deadLetters: readonly StoredDeadLetter[],
  ): string[] {
    const inserted = this.insert(calls, terms, deadLetters);
    this.move(inserted);
    return this.lostOf(calls, inserted);
  }

  /** The uniqueids of calls that were not inserted. */
  lostOf(calls: readonly StoredCall[], inserted: readonly StoredCall[]): string[] {
    const came = new Set(inserted.map(({ uniqueid }) => uniqueid));
    return calls.map(({ uniqueid }) => uniqueid).filter((uniqueid) => !came.has(uniqueid));
  }

  /** Whether a call with this uniqueid may be inserted. */
  protected admits(uniqueid: string): boolean {
    return this.find(uniqueid) === undefined;
  }

  /** What of the terms no longer holds. */
  protected problemOf(terms: WrittenTerms): string | null {
    return termsProblem(terms, this.billing);
  }

  insert(
    calls: readonly StoredCall[],
    terms: WrittenTerms,
    deadLetters: readonly StoredDeadLetter[],
  ): StoredCall[] {
    const problem = this.problemOf(terms);
    if (problem !== null) throw databaseError('CDR01', problem);
    if (
      calls.some(({ note }) => note === POISON) ||
      deadLetters.some((deadLetter) => this.#refuses(deadLetter))
    ) {
      throw databaseError('22021', 'character that cannot be stored');
    }
    if (calls.some(({ note }) => note === STUBBORN))
      throw databaseError('40001', 'could not serialize access');
    const inserted = calls.filter(({ uniqueid }) => this.admits(uniqueid));
    this.checkObstacles(inserted);
    for (const deadLetter of deadLetters) {
      const key = `${deadLetter.reason} ${deadLetter.digest}`;
      const before = this.deadLetters.get(key);
      const deaths = (before?.deaths ?? 0) + deadLetter.deaths;
      this.deadLetters.set(key, {
        ...deadLetter,
        deaths,
        status: deadLetter.verified ? 'dead' : (before?.status ?? 'dead'),
        waits_for: deadLetter.waits_for ?? before?.waits_for ?? null,
        tried: deadLetter.waits_for === null && (before?.tried ?? false),
      });
    }
    this.calls.push(...inserted);
    for (const call of inserted) this.#watcher.stored(call);
    return inserted;
  }

  /**
   * Adds entries to the line of a call and moves the money. False if nothing was added: another one follows the same entry, or
   * the id is taken.
   */
  book(entries: readonly StoredEntry[], terms?: WrittenTerms): boolean {
    const problem = terms === undefined ? null : this.problemOf(terms);
    if (problem !== null) throw databaseError('CDR01', problem);
    const added = this.corrections.admitted(entries);
    if (added.length === 0) return false;
    if (added.length < entries.length) throw databaseError('CDR01', 'the id of an entry was taken');
    this.checkRows(added.flatMap(rowsOfEntry));
    this.corrections.entries.push(...added);
    this.moveEntries(added);
    this.#watcher.booked(added);
    return true;
  }

  obstruct(row: string, obstacle: Obstacle): void {
    this.obstacles.set(row, obstacle);
    this.obstructed.add(row);
  }

  /** As the real statement and the real functions beside it do. */
  protected checkObstacles(calls: readonly StoredCall[]): void {
    this.checkRows(calls.flatMap((call) => this.rowsOf(call)));
  }

  protected checkRows(rows: readonly string[]): void {
    const having = (obstacle: Obstacle) => rows.filter((row) => this.obstacles.get(row) === obstacle);
    if (having('refused').length > 0) throw databaseError('53100', 'No space left on device');
    if (having('locked').length > 0) throw databaseError('55P03', 'canceling statement due to lock timeout');
    const [vetoed] = having('vetoed');
    if (vetoed !== undefined) throw databaseError('CDR02', vetoed);
  }

  protected rowsOf(call: StoredCall): string[] {
    const customer = call.update_balance === 1 ? [customerRow(call.scustomer)] : [];
    const isInvoiced = call.update_invoices === 1 && call.invoice !== null;
    return isInvoiced ? [...customer, invoiceRow(call.invoice ?? 0)] : customer;
  }

  move(calls: readonly StoredCall[]): void {
    for (const call of calls) {
      const customer = this.billing.customers.get(call.scustomer);
      const invoice = call.invoice === null ? undefined : this.billing.invoices.get(call.invoice);
      if (customer !== undefined && call.update_balance === 1) {
        customer.balance -= millionths(call.charged);
        customer.charged += millionths(call.charged);
        customer.calls += 1;
      }
      if (invoice !== undefined && call.update_invoices === 1) {
        invoice.cost += millionths(call.invoice_cost);
        invoice.tax += millionths(call.invoice_tax);
        invoice.calls += 1;
      }
    }
  }

  moveEntries(entries: readonly StoredEntry[]): void {
    for (const { customer: id, invoice: on, ...moved } of entries) {
      const customer = this.billing.customers.get(id);
      const invoice = on === null ? undefined : this.billing.invoices.get(on);
      if (customer !== undefined && moved.calls !== 0) {
        customer.balance -= millionths(moved.charged);
        customer.charged += millionths(moved.charged);
        customer.calls += moved.calls;
      }
      if (invoice !== undefined) {
        invoice.cost += millionths(moved.invoice_cost);
        invoice.tax += millionths(moved.invoice_tax);
        invoice.calls += moved.invoice_calls;
      }
    }
  }

  #correctedCall([uniqueid, id]: readonly [string, string]) {
    return { call: correctedCall(this.find(uniqueid)), ...this.corrections.found(uniqueid, id) };
  }

  #markTried(key: string): { id: string }[] {
    const deadLetter = this.deadLetters.get(key);
    if (deadLetter === undefined || deadLetter.tried) return [];
    deadLetter.tried = true;
    return [{ id: key }];
  }

  #waitFor([reason, digest, row]: readonly string[]): { id: string }[] {
    const deadLetter = this.deadLetters.get(`${reason} ${digest}`);
    if (deadLetter?.status !== 'dead') return [];
    deadLetter.waits_for = row ?? null;
    deadLetter.tried = false;
    return [{ id: `${reason} ${digest}` }];
  }

  #close(key: string, status: 'resolved' | 'discarded'): { id: string }[] {
    const deadLetter = this.deadLetters.get(key);
    if (deadLetter?.status !== 'dead') return [];
    deadLetter.status = status;
    return [{ id: key }];
  }

  #lockedAmong([customers = [], invoiced = [], invoices = []]: readonly number[][]): Partial<LockedRow>[] {
    const open = [...this.billing.invoices].filter(([, { customer }]) => invoiced.includes(customer));
    const session = {
      pid: 1,
      application: 'billing',
      since: null,
      transaction: '1',
      isOfWorker: false,
      isGuess: false,
      isWaiting: false,
      idleMs: 0,
    };
    const locked = (of: 'customer' | 'invoice', ids: readonly number[]) =>
      ids
        .filter((id) => this.obstacles.get(`${of} ${id}`) === 'locked')
        .map((id) => ({ of, id: String(id), ...session }));
    return [
      ...locked('customer', customers),
      ...locked('invoice', [...new Set([...invoices, ...open.map(([id]) => id)])]),
    ];
  }

  #refuses({ body, reason }: StoredDeadLetter): boolean {
    const shown = /^\d+ bytes, as hex: ([\da-f]*)$/.exec(body)?.[1];
    const text = shown === undefined ? body : Buffer.from(shown, 'hex').toString();
    if (text.includes(UNKEEPABLE_FOR_NOW)) return this.hostile;
    if (body.includes(UNREADABLE)) return true;
    return body.includes(UNKEEPABLE) && reason === 'rejected';
  }

  #asSubmitted(uniqueids: readonly string[]): { call: string }[] {
    return uniqueids.flatMap((uniqueid) => {
      const row = this.find(uniqueid);
      if (row === undefined) return [];
      const submitted = { ...row, peer: row.peer ?? 0, invoice: row.invoice_named ? row.invoice : 0 };
      return [{ call: JSON.stringify(Object.fromEntries(cdrFields.map((name) => [name, submitted[name]]))) }];
    });
  }

  #billOf(uniqueid: string): { bill: string }[] {
    const row = this.find(uniqueid);
    return row === undefined ? [] : [{ bill: JSON.stringify(storedBill(row)) }];
  }
}

function rowsOfEntry({ customer, calls, invoice }: StoredEntry): string[] {
  return [
    ...(calls === 0 ? [] : [customerRow(customer)]),
    ...(invoice === null ? [] : [invoiceRow(invoice)]),
  ];
}
