import { retry } from '../retry.ts';
import { recordActivity } from '../store/activity.ts';
import type { Database } from '../store/database.ts';
import { classifyFailure, isLockTimeout, sqlStateOf } from '../store/failures.ts';
import { type Attaching, attachPortion, BEGINNING, type LateKind, lateKinds } from '../store/late/attach.ts';
import { type AttachPlan, readInvoice } from '../store/late/plan.ts';
import { type LockedRow, lockedRows } from '../store/persist/row-locks.ts';
import type { Sql } from '../store/sql.ts';

/** To which invoices late calls go. */
export interface AttachOrder extends Omit<Attaching, 'customer'> {
  /** Null is every customer. */
  customer: number | null;
}

/** Why an invoice takes nothing. */
export type InvoiceProblem =
  | { kind: 'unknown' }
  | { kind: 'of another customer'; customer: number }
  | { kind: 'closed' };

/** What is wrong with the invoice that an order names; null if nothing is. */
export async function problemOfInvoice(
  sql: Sql,
  { customer, invoice, openStatuses }: Pick<AttachOrder, 'customer' | 'invoice' | 'openStatuses'>,
): Promise<InvoiceProblem | null> {
  if (invoice === null) return null;
  const found = await readInvoice(sql, invoice, openStatuses);
  if (found === undefined) return { kind: 'unknown' };
  if (found.customer !== customer) return { kind: 'of another customer', customer: found.customer };
  return found.isOpen ? null : { kind: 'closed' };
}

/** How attaching ended. What was attached until then stays; running it again goes on. */
export type AttachEnd =
  | { kind: 'done' }
  | { kind: 'stopped' }
  | { kind: 'closed' }
  | { kind: 'locked'; by: LockedRow | undefined };

export interface Attached {
  attached: number;
  end: AttachEnd;
}

export interface AttachContext {
  database: Pick<Database, 'sql' | 'transaction'>;
  stop: AbortSignal;
  onProgress: (attached: number) => void;
}

const ATTEMPTS = 8;

/**
 * Puts what is late on invoices, portion by portion, each atomic. It may be stopped between them, and run again or twice at once:
 * nothing is attached twice. Throws what the database throws.
 *
 * @param customers those who have something late
 */
export async function attachLate(
  order: AttachOrder,
  customers: readonly number[],
  context: AttachContext,
): Promise<Attached> {
  const run = new Run(order, context);
  try {
    const end = await run.through(customers);
    return { attached: run.attached, end };
  } finally {
    if (run.attached > 0) await recordAttached(context.database.sql, order, run.attached);
  }
}

class Run {
  attached = 0;
  readonly #order: AttachOrder;
  readonly #context: AttachContext;

  constructor(order: AttachOrder, context: AttachContext) {
    this.#order = order;
    this.#context = context;
  }

  async through(customers: readonly number[]): Promise<AttachEnd> {
    for (const customer of customers) {
      for (const kind of lateKinds) {
        const end = await this.#all({ ...this.#order, customer }, kind);
        if (end !== null) return end;
      }
    }
    return { kind: 'done' };
  }

  /** Again and again, because what somebody else was at work on may be free the next time, and of a call one entry goes at once. */
  async #all(attaching: Attaching, kind: LateKind): Promise<AttachEnd | null> {
    for (;;) {
      const before = this.attached;
      const end = await this.#once(attaching, kind);
      if (end !== null || this.attached === before) return end;
    }
  }

  async #once(attaching: Attaching, kind: LateKind): Promise<AttachEnd | null> {
    const { database, stop, onProgress } = this.#context;
    for (let place = BEGINNING; ; ) {
      if (stop.aborted) return { kind: 'stopped' };
      const portion = await this.#portion(() => attachPortion(database, attaching, kind, place), attaching);
      if ('kind' in portion) return portion;
      this.attached += portion.attached;
      onProgress(this.attached);
      if (portion.last === null) return null;
      place = portion.last;
    }
  }

  async #portion<Result>(work: () => Promise<Result>, attaching: Attaching): Promise<Result | AttachEnd> {
    const { sql } = this.#context.database;
    try {
      return await retry(work, (error, attempt) => isWorthAnother(error) && attempt < ATTEMPTS);
    } catch (error) {
      if (isLockTimeout(error)) return { kind: 'locked', by: await holderOf(sql, attaching) };
      if (isStale(error) && (await problemOfInvoice(sql, attaching)) !== null) return { kind: 'closed' };
      throw error;
    }
  }
}

const isStale = (error: unknown) => sqlStateOf(error) === 'CDR01';

/** Who waited for a lock has waited long enough. */
function isWorthAnother(error: unknown): boolean {
  return classifyFailure(error) !== 'message' && !isLockTimeout(error);
}

async function holderOf(
  sql: Sql,
  { customer, invoice, openStatuses }: Attaching,
): Promise<LockedRow | undefined> {
  const [row] = await lockedRows(sql, {
    customers: [],
    invoiced: invoice === null ? [customer] : [],
    invoices: invoice === null ? [] : [invoice],
    deadLetters: [],
    openStatuses,
  });
  return row;
}

async function recordAttached(sql: Sql, order: AttachOrder, attached: number): Promise<void> {
  const { by, why, customer, invoice } = order;
  const where = { ...(customer !== null && { customer }), ...(invoice !== null && { invoice }) };
  const detail = { ...where, attached, why };
  await recordActivity(sql, { who: by, act: 'late calls attached', program: 'command', detail });
}

/** Customers who have something that would be attached. */
export function customersIn({ shares }: AttachPlan): number[] {
  return [...new Set(shares.map(({ customer }) => customer))];
}
