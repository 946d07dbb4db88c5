import type { LateCallRule } from '../../src/domain/charge.ts';
import { NO_CUSTOMER } from './correction-history.ts';
import { bookingProblems } from './correction-oracle.ts';
import type { Expectation } from './draft.ts';
import type { FakeBroker } from './fake-broker.ts';
import type { StoredEntry } from './fake-corrections.ts';
import type { FakeDatabase } from './fake-database.ts';
import type { Submitted } from './history.ts';
import type { StoredCall } from './lines.ts';
import { moneyProblems } from './money-oracle.ts';
import { openInvoicesOf } from './terms.ts';

const NO_ROOM = 'too many calls are waiting';

/**
 * Judges a run, while it goes on and at its end: every confirmed message has exactly one effect and, where its
 * sender can be answered, a reply that says so; not a millionth is charged twice, or not at all.
 */
export class Oracle {
  readonly violations: string[] = [];
  readonly #submitted: ReadonlyMap<string, Submitted>;
  readonly #lateCalls: LateCallRule;
  /** Codes of the replies to a message that reached a queue. */
  readonly #replies = new Map<string, Set<string>>();
  readonly #unroutableReply = new Set<string>();
  /** The calls and entries that somebody was told of. */
  readonly #billed = new Set<string>();
  readonly #acknowledged = new Set<string>();
  /** What the broker dead-lettered: kept first, then tried once. */
  readonly #quarantined = new Set<string>();
  /** The content that a uniqueid was first stored with. */
  readonly #first = new Map<string, string>();
  /** What the broker got back and delivers again. */
  readonly #returned = new Set<string>();
  /** Corrections whose call was stored when they were sent. */
  readonly #sentAfterCall = new Set<string>();
  #database: FakeDatabase | undefined;

  constructor(messages: readonly Submitted[], lateCalls: LateCallRule) {
    this.#lateCalls = lateCalls;
    this.#submitted = new Map(messages.map((message) => [message.id, message]));
  }

  watch(database: FakeDatabase): void {
    this.#database = database;
  }

  violate(what: string): void {
    this.violations.push(what);
  }

  sent(id: string): void {
    const uniqueid = this.#submitted.get(id)?.uniqueid ?? '';
    if (this.#database?.find(uniqueid) !== undefined) this.#sentAfterCall.add(id);
  }

  returned(id: string): void {
    this.#returned.add(id);
  }

  /** A reply has reached a queue: what it promises must be true by now. */
  replied(id: string, code: string): void {
    const codes = this.#replies.get(id) ?? new Set();
    this.#replies.set(id, codes.add(code));
    this.#check(id, code, 'answered');
    if (code === '404' && this.#sentAfterCall.has(id))
      this.violate(`${id} answered 404, but its call was stored`);
  }

  unroutableReply(id: string): void {
    this.#unroutableReply.add(id);
  }

  quarantined(id: string): void {
    this.#quarantined.add(id);
  }

  /** Somebody is told what a call was charged, or an entry has moved: it must be on the books, and with this. */
  billed(body: string): void {
    const told = JSON.parse(body) as Pick<StoredCall, 'uniqueid' | 'charged' | 'invoice_cost'> & {
      entry: string | null;
    };
    const { uniqueid, entry } = told;
    const stored = entry === null ? this.#database?.find(uniqueid) : this.#database?.corrections.find(entry);
    const isTrue =
      stored?.uniqueid === uniqueid &&
      stored.charged === told.charged &&
      stored.invoice_cost === told.invoice_cost;
    if (!isTrue) this.violate(`told ${body}, but the books say ${JSON.stringify(stored)}`);
    this.#billed.add(entry === null ? `call ${uniqueid}` : `entry ${entry}`);
  }

  /** The broker has forgotten a message: it must be answered. */
  acknowledged(id: string): void {
    this.#acknowledged.add(id);
    const codes = this.#replies.get(id);
    if (codes === undefined && !this.#unroutableReply.has(id))
      this.violate(`${id} acknowledged without a reply`);
    const effects = this.#effects(id);
    if (effects.length === 0) this.violate(`${id} acknowledged without an effect`);
    const { uniqueid, expectation } = this.#submitted.get(id) ?? {};
    if (effects.join() === '204 stored' && !this.#billed.has(`call ${uniqueid}`))
      this.violate(`${id} acknowledged and nobody told what it was charged`);
    if (expectation?.kind !== 'correction' || effects.join() !== '204 booked') return;
    for (const entry of [expectation.entry, `${expectation.entry}#reversal`])
      if (this.#database?.corrections.find(entry) !== undefined && !this.#billed.has(`entry ${entry}`))
        this.violate(`${id} acknowledged and nobody told of ${entry}`);
  }

  /** A call has come into the table: on the terms of this very moment. */
  stored(call: StoredCall): void {
    const { uniqueid, fingerprint } = call;
    if (!this.#first.has(uniqueid)) this.#first.set(uniqueid, fingerprint);
    const billing = this.#database?.billing;
    const customer = billing?.customers.get(call.scustomer);
    const rates: [string, string | null, string | undefined | null][] = [
      ['currency', call.currency_rate, this.#rate(call.currency)],
      ['customer', call.customer_rate, this.#rate(customer?.currency)],
      ['invoice', call.invoice_rate, this.#rate(billing?.invoices.get(call.invoice ?? 0)?.currency)],
    ];
    for (const [what, charged, now] of rates) {
      if (charged !== (now ?? null))
        this.violate(`${uniqueid} charged at the ${what}'s rate ${charged}, not ${now}`);
    }
    this.#judgeInvoice(call);
  }

  /** A correction has come into the table. */
  booked(entries: readonly StoredEntry[]): void {
    if (this.#database !== undefined)
      this.violations.push(...bookingProblems(entries, this.#database.billing));
  }

  /** A call that names no invoice is on one that covers its start, else where late calls go. */
  #judgeInvoice({ uniqueid, scustomer, start, ...call }: StoredCall): void {
    if (call.invoice_named || call.update_invoices === 0 || this.#database === undefined) return;
    const open = openInvoicesOf(this.#database.billing, scustomer);
    // One of them may have been opened since: the earliest when it was looked up is as good.
    const covering = open.filter((one) => one.start <= start && start < one.end);
    const next = this.#lateCalls === 'next' ? open.find((one) => one.start > start) : undefined;
    const due: (number | null)[] = covering.length > 0 ? covering.map(({ id }) => id) : [next?.id ?? null];
    const isLate = covering.length === 0 && next !== undefined;
    if (!due.includes(call.invoice ?? null) || call.invoice_late !== isLate)
      this.violate(`${uniqueid} is on invoice ${call.invoice}, not ${due.join(' or ')}`);
  }

  /** Everything has come to rest. */
  judge(broker: FakeBroker, database: FakeDatabase): void {
    const left = [...broker.input.left, ...broker.dead.left];
    if (left.length > 0) this.violate(`left in the queue or in flight: ${left.join(', ')}`);
    for (const id of this.#submitted.keys()) this.#judgeMessage(id);
    this.#judgeCalls(database.calls);
    this.#judgeDeadLetters(database);
    this.#judgeEntries(database);
    this.violations.push(...moneyProblems(database));
  }

  #judgeMessage(id: string): void {
    if (!this.#acknowledged.has(id)) this.violate(`${id} is lost`);
    // So may a call that was kept because a row was held for too long, by another copy of it.
    // What the broker dead-lettered may be done already, unacknowledged: it can come to be parked beside that, and
    // be answered again. Every answer was held against the effects of its moment.
    if (this.#quarantined.has(id) || this.#hasWaited(id)) return;
    const codes = [...(this.#replies.get(id) ?? [])];
    const effects = this.#effects(id);
    const { expectation } = this.#submitted.get(id) ?? {};
    if (expectation?.kind === 'correction') this.#judgeRefusal(id, expectation, codes);
    const mayDiffer = expectation?.kind === 'question' || this.#isRepeated(id);
    // Of a batch that is tried again: what was refused, and kept, may be booked then, and is answered so.
    const isBookedAfterAll = expectation?.kind === 'correction' && codes.every((code) => code === '204');
    if (effects.length > 1 && !mayDiffer && !isBookedAfterAll)
      this.violate(`${id} has several effects: ${effects.join(', ')}`);
    for (const code of codes) this.#check(id, code, 'was answered');
    if (codes.length > 1 && !mayDiffer) this.violate(`${id} was answered ${codes.join(' and ')}`);
  }

  /** A correction that was refused for what was on the books then may be booked when it comes again. */
  #isRepeated(id: string): boolean {
    const own = this.#submitted.get(id)?.expectation;
    if (own?.kind !== 'correction') return false;
    const copies = [...this.#submitted.values()].filter(
      ({ expectation }) =>
        expectation.kind === 'correction' &&
        expectation.entry === own.entry &&
        expectation.fingerprint === own.fingerprint,
    );
    return this.#returned.has(id) || copies.length > 1;
  }

  /** Whether a correction was refused for a reason: another one, its id, what it names. */
  #judgeRefusal(
    id: string,
    { entry, fingerprint, customer }: Extract<Expectation, { kind: 'correction' }>,
    codes: readonly string[],
  ): void {
    const { corrections } = this.#database ?? {};
    if (!codes.includes('400') || corrections === undefined) return;
    const uniqueid = this.#submitted.get(id)?.uniqueid ?? '';
    const call = this.#database?.find(uniqueid);
    const isTaken =
      corrections.find(entry)?.fingerprint !== fingerprint && corrections.find(entry) !== undefined;
    const own = [entry, `${entry}#reversal`];
    const others = corrections.entries.some((one) => one.uniqueid === uniqueid && !own.includes(one.id));
    // Only its currency changes.
    const isOfChanging = call?.scustomer === 2;
    if (isTaken || (call !== undefined && (others || isOfChanging || customer === NO_CUSTOMER))) return;
    this.violate(`${id} was refused for no reason`);
  }

  /** Whether the message is kept because of what somebody held. */
  #hasWaited(id: string): boolean {
    const deadLetter = this.#database?.deadLetters.get(`failed ${this.#submitted.get(id)?.digest}`);
    if (deadLetter === undefined) return false;
    // What collided again and again and found no room to wait says so, but waits for no row.
    return deadLetter.waits_for !== null || deadLetter.error?.endsWith(NO_ROOM) === true;
  }

  #check(id: string, code: string, verb: string): void {
    const effects = this.#effects(id);
    const isTrue = effects.some((effect) => effect.split(' ')[0]?.split('/').includes(code));
    if (!isTrue) this.violate(`${id} ${verb} ${code}, but is ${effects.join(', ') || 'without an effect'}`);
  }

  /** What a message has come to so far, each as the code that tells it and the effect. */
  #effects(id: string): string[] {
    const message = this.#submitted.get(id);
    if (message === undefined) return [];
    const { expectation, digest, plainDigest, minimalDigest } = message;
    const kept = (key: string) => this.#database?.deadLetters.get(key)?.status === 'dead';
    // Resolved or not: another message with the same content may be on its way beside this one.
    const isParked = [digest, plainDigest, minimalDigest].some((one) =>
      this.#database?.deadLetters.has(`poison ${one}`),
    );
    const parked = this.#quarantined.has(id) && isParked ? ['400 parked'] : [];
    if (this.#hasWaited(id)) parked.push('400 failed');
    if (expectation.kind === 'question')
      return [...parked, ...expectation.codes.map((code) => `${code} answered`)];
    if (expectation.kind === 'refused') {
      const isMinimal = kept(`failed ${minimalDigest}`);
      const reason = isMinimal ? 'failed' : expectation.reasons.find((one) => kept(`${one} ${digest}`));
      return reason === undefined ? parked : [...parked, `${expectation.code} ${reason}`];
    }
    if (expectation.kind === 'correction') {
      if (kept(`rejected ${digest}`)) parked.push('400/404 refused');
      const entry = this.#database?.corrections.find(expectation.entry);
      return entry?.fingerprint === expectation.fingerprint ? [...parked, '204 booked'] : parked;
    }
    if (kept(`conflict ${digest}`)) parked.push('400 conflict');
    const stored = this.#database?.find(message.uniqueid ?? '')?.fingerprint;
    return stored === expectation.fingerprint ? [...parked, '204 stored'] : parked;
  }

  /** One row for a uniqueid, with the content that came first, and of a message that was sent. */
  #judgeCalls(calls: readonly StoredCall[]): void {
    const contents = new Set<string>();
    for (const { uniqueid, expectation } of this.#submitted.values()) {
      if (expectation.kind === 'call') contents.add(`${uniqueid} ${expectation.fingerprint}`);
    }
    const seen = new Set<string>();
    for (const call of calls) {
      const { uniqueid, fingerprint } = call;
      if (seen.has(uniqueid)) this.violate(`${uniqueid} is stored twice`);
      if (!this.#billed.has(`call ${uniqueid}`) && !this.#isParked(uniqueid, fingerprint))
        this.violate(`${uniqueid} is stored and nobody was told`);
      seen.add(uniqueid);
      if (!contents.has(`${uniqueid} ${fingerprint}`)) this.violate(`${uniqueid} was never sent like this`);
      if (this.#first.get(uniqueid) !== fingerprint) this.violate(`${uniqueid} lost its first content`);
    }
  }

  /** Whether a message of this content waits for an operator, whose replay tells what was charged. */
  #isParked(uniqueid: string, fingerprint: string | null): boolean {
    return [...this.#submitted.values()].some(({ id, expectation, ...sent }) => {
      if (expectation.kind !== 'call' && expectation.kind !== 'correction') return false;
      if (sent.uniqueid !== uniqueid || expectation.fingerprint !== fingerprint) return false;
      // Of two workers that have a quarantined message in hand one after the other, the first may store it, unheard, when the
      // second has parked and acknowledged it.
      const isPoison = [sent.digest, sent.plainDigest, sent.minimalDigest].some((one) => {
        const kept = this.#database?.deadLetters.get(`poison ${one}`);
        return kept !== undefined && (kept.status === 'dead' || kept.deaths > 1);
      });
      return isPoison || this.#hasWaited(id);
    });
  }

  /** Each is of a correction that was sent, or puts on an invoice what is late. */
  #judgeEntries({ corrections }: FakeDatabase): void {
    const sent = new Set<string>();
    for (const { uniqueid, expectation } of this.#submitted.values())
      if (expectation.kind === 'correction')
        for (const id of [expectation.entry, `${expectation.entry}#reversal`])
          sent.add(`${id} ${uniqueid} ${expectation.fingerprint}`);
    for (const { id, kind, uniqueid, fingerprint } of corrections.entries) {
      if (kind === 'attaching') continue;
      if (!sent.has(`${id} ${uniqueid} ${fingerprint}`)) this.violate(`${id} was never sent like this`);
      if (!this.#billed.has(`entry ${id}`) && !this.#isParked(uniqueid, fingerprint))
        this.violate(`${id} is booked and nobody was told`);
    }
    const ids = new Set(corrections.entries.map(({ id }) => id));
    if (ids.size < corrections.entries.length) this.violate('an entry is booked twice');
  }

  #judgeDeadLetters({ deadLetters }: FakeDatabase): void {
    const deserved = new Set<string>();
    for (const { id, expectation, digest, plainDigest, minimalDigest } of this.#submitted.values()) {
      if (this.#quarantined.has(id))
        for (const one of [digest, plainDigest, minimalDigest]) deserved.add(`poison ${one}`);
      if (expectation.kind === 'call') deserved.add(`conflict ${digest}`);
      if (expectation.kind === 'correction') deserved.add(`rejected ${digest}`);
      if (this.#hasWaited(id)) deserved.add(`failed ${digest}`);
      if (expectation.kind === 'refused')
        for (const reason of expectation.reasons)
          deserved.add(`${reason} ${digest}`).add(`${reason} ${minimalDigest}`);
    }
    for (const [key, { body, waits_for, error }] of deadLetters) {
      if (waits_for !== null && !this.#wasObstructed(waits_for))
        this.violate(`${key} waits for ${waits_for}`);
      if (!deserved.has(key)) this.violate(`nothing deserves the dead letter ${key}: ${body} ${error ?? ''}`);
    }
  }

  /** Whether there was anything in the way of the row, or of the calls like one. */
  #wasObstructed(waitsFor: string): boolean {
    const { obstructed } = this.#database ?? { obstructed: new Set() };
    return obstructed.has(waitsFor) || /^(calls|corrections) of /.test(waitsFor);
  }

  #rate(currency: string | undefined): string | undefined {
    return currency === undefined ? undefined : this.#database?.billing.currencies.get(currency);
  }
}
