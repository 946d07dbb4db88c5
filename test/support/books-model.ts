import { charged, converted, fraction, type ModelTax, millionths, plainText } from '../domain/exact-model.ts';

/** Amounts are in millionths. */
export interface ModelInvoice {
  id: number;
  customer: number;
  currency: string;
  start: number;
  end: number;
  open: boolean;
  calls: number;
  cost: bigint;
  tax: bigint;
}

export interface ModelCall {
  uniqueid: string;
  customer: number;
  cost: string;
  currency: string;
  taxes: readonly number[];
  start: number;
  updateBalance: boolean;
  updateInvoices: boolean;
}

/** A call as it stands. */
interface Standing extends ModelCall {
  charged: bigint;
  tax: bigint;
  on: { invoice: number; currency: string; cost: bigint; tax: bigint } | null;
  /** Every invoice that the call or an entry of it is on. */
  touched: Set<number>;
  isVoided: boolean;
  isPruned: boolean;
}

/** Money that no invoice took; `of` is the call whose amounts in force it is, null for what was taken back. */
interface Late {
  uniqueid: string;
  of: Standing | null;
  customer: number;
  currency: string;
  cost: bigint;
  tax: bigint;
  sign: 1 | -1;
  /** The call itself, as it was stored. */
  isCall: boolean;
}

/** The books a second time, without a database: what balances and invoices must show, and what is late. */
export class BooksModel {
  readonly rates = new Map([
    ['USD', '1'],
    ['EUR', '0.92'],
    ['GBP', '0.79'],
  ]);
  readonly customers = new Map([
    [1, { currency: 'USD', charged: 0n, calls: 0 }],
    [2, { currency: 'EUR', charged: 0n, calls: 0 }],
  ]);
  readonly invoices: ModelInvoice[] = [];
  readonly calls: Standing[] = [];
  #late: Late[] = [];

  store(call: ModelCall, lateCalls: 'hold' | 'next'): void {
    const open = this.#openOf(call.customer);
    const next = lateCalls === 'next' ? open.find(({ start }) => start > call.start) : undefined;
    const standing: Standing = {
      ...{ ...call, charged: 0n, tax: 0n, on: null, touched: new Set(), isVoided: false, isPruned: false },
    };
    this.calls.push(standing);
    this.#charge(standing, open.find((one) => covers(one, call.start)) ?? next, true);
  }

  void(call: Standing): void {
    this.#takeBack(call);
    call.isVoided = true;
  }

  update(call: Standing, changes: Partial<Pick<ModelCall, 'cost' | 'customer'>>): void {
    const before = call.on?.invoice;
    this.#takeBack(call);
    Object.assign(call, changes);
    const open = this.#openOf(call.customer);
    this.#charge(call, open.find(({ id }) => id === before) ?? forStart(open, call.start), false);
  }

  /** Returns how many were attached. */
  attach(customer: number | null, invoice: number | null): number {
    const before = this.#late.length;
    this.#late = this.#late.filter((late) => {
      if (customer !== null && late.customer !== customer) return true;
      const call = this.calls.find(({ uniqueid }) => uniqueid === late.uniqueid);
      if (call === undefined || (call.isPruned && late.isCall)) return true;
      const open = this.#openOf(late.customer).filter(({ id }) => invoice === null || id === invoice);
      const target = call.isPruned ? open[0] : forStart(open, call.start);
      if (target === undefined) return true;
      const into = (amount: bigint) => this.#convert(amount, late.currency, target.currency);
      const moved = { cost: into(late.cost), tax: into(late.tax) };
      move(target, moved, late.sign);
      call.touched.add(target.id);
      if (late.of !== null) late.of.on = { invoice: target.id, currency: target.currency, ...moved };
      return false;
    });
    return before - this.#late.length;
  }

  /** Returns how many go. */
  prune(withUninvoiced: boolean): number {
    const isOpen = (id: number) => this.invoices.some((one) => one.id === id && one.open);
    const going = this.calls.filter(
      ({ uniqueid, isPruned, touched }) =>
        !isPruned &&
        ![...touched].some(isOpen) &&
        (withUninvoiced || !this.#late.some((late) => late.uniqueid === uniqueid)),
    );
    for (const call of going) call.isPruned = true;
    return going.length;
  }

  /** Everything that the database must show. */
  shown() {
    const uninvoiced = new Map<string, { count: number; cost: bigint; tax: bigint }>();
    for (const { currency, cost, tax } of this.#late) {
      const sum = uninvoiced.get(currency) ?? { count: 0, cost: 0n, tax: 0n };
      uninvoiced.set(currency, { count: sum.count + 1, cost: sum.cost + cost, tax: sum.tax + tax });
    }
    return [
      ...[...this.customers].map(([id, one]) => `customer ${id}: ${plainText(one.charged)}, ${one.calls}`),
      ...this.invoices.map(
        ({ id, cost, tax, calls }) => `invoice ${id}: ${plainText(cost)} + ${plainText(tax)}, ${calls}`,
      ),
      ...[...uninvoiced]
        .sort(([one], [other]) => (one < other ? -1 : 1))
        .map(
          ([currency, { count, cost, tax }]) =>
            `late: ${count}, ${plainText(cost)} + ${plainText(tax)} ${currency}`,
        ),
    ];
  }

  #charge(call: Standing, invoice: ModelInvoice | undefined, isCall: boolean): void {
    const customer = this.#customer(call.customer);
    const toCustomer = this.#amounts(call, customer.currency);
    call.tax = toCustomer.tax;
    call.charged = call.updateBalance ? toCustomer.cost + toCustomer.taxThere : 0n;
    customer.charged += call.charged;
    customer.calls += call.updateBalance ? 1 : 0;
    call.on = null;
    if (!call.updateInvoices) return;
    if (invoice === undefined) {
      const { uniqueid, customer: whose, currency, tax } = call;
      const amounts = { cost: millionths(call.cost), tax };
      this.#late.push({ uniqueid, of: call, customer: whose, currency, ...amounts, sign: 1, isCall });
      return;
    }
    const { cost, taxThere } = this.#amounts(call, invoice.currency);
    const moved = { cost, tax: taxThere };
    move(invoice, moved, 1);
    call.touched.add(invoice.id);
    call.on = { invoice: invoice.id, currency: invoice.currency, ...moved };
  }

  #takeBack(call: Standing): void {
    const customer = this.#customer(call.customer);
    customer.charged -= call.charged;
    customer.calls -= call.updateBalance ? 1 : 0;
    const { on, uniqueid, currency, tax } = call;
    this.#late = this.#late.filter(({ of }) => of !== call);
    call.on = null;
    if (on === null) return;
    const alike = this.#openOf(call.customer).filter((one) => one.currency === on.currency);
    const target = alike.find(({ id }) => id === on.invoice) ?? forStart(alike, call.start);
    if (target === undefined) {
      const amounts = { cost: -millionths(call.cost), tax: -tax };
      this.#late.push({
        uniqueid,
        of: null,
        customer: call.customer,
        currency,
        ...amounts,
        sign: -1,
        isCall: false,
      });
      return;
    }
    move(target, { cost: -on.cost, tax: -on.tax }, -1);
    call.touched.add(target.id);
  }

  #amounts({ cost, taxes, currency }: ModelCall, target: string) {
    const TAXES: Record<number, ModelTax> = {
      1: { rate: '20', flat: '0' },
      2: { rate: '0', flat: '0.05' },
      3: { rate: '0', flat: '0.4', currency_rate: this.#rate('GBP') },
    };
    return charged(
      cost,
      taxes.flatMap((id) => TAXES[id] ?? []),
      { system: '1', call: this.#rate(currency), target: this.#rate(target) },
    );
  }

  #convert(amount: bigint, from: string, to: string): bigint {
    return converted(fraction(plainText(amount)), fraction(this.#rate(from)), fraction(this.#rate(to)));
  }

  #openOf(customer: number): ModelInvoice[] {
    return this.invoices
      .filter((one) => one.customer === customer && one.open)
      .sort((a, b) => a.start - b.start || a.id - b.id);
  }

  #customer(id: number) {
    const customer = this.customers.get(id);
    if (customer === undefined) throw new Error(`no customer ${id}`);
    return customer;
  }

  #rate(currency: string): string {
    return this.rates.get(currency) ?? '1';
  }
}

function covers({ start, end }: ModelInvoice, time: number): boolean {
  return start <= time && time < end;
}

function forStart(open: readonly ModelInvoice[], start: number): ModelInvoice | undefined {
  return open.find((one) => covers(one, start)) ?? open[0];
}

function move(invoice: ModelInvoice, { cost, tax }: { cost: bigint; tax: bigint }, sign: 1 | -1): void {
  invoice.cost += cost;
  invoice.tax += tax;
  invoice.calls += sign;
}
