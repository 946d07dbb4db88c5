import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Held } from '../domain/held.ts';
import type { Outcome } from '../domain/outcome.ts';
import { describeFailure, troubleCause } from '../store/failures.ts';
import {
  type BatchLimits,
  countFitting,
  inContextOf,
  type Message,
  type Persist,
  type Results,
} from './batch.ts';
import { publishBilled } from './billed.ts';
import { eventsOfHeld } from './held-events.ts';
import { Isolation } from './isolation.ts';
import type { Arrival, Ports } from './ports.ts';
import { type Answer, createAnswers, publishUntilConfirmed, type ReplyRules } from './reply.ts';
import type { Request } from './request.ts';
import type { WaitingListSettings } from './waiting-list.ts';
import { WaitingMessages } from './waiting-messages.ts';

export interface PipelineSettings extends WaitingListSettings, BatchLimits {
  /** Deliveries admitted in one turn of the event loop. Between turns the pipeline hears that a batch is written. */
  admittedAtOnce: number;
  /** Batches whose replies may be on their way while the next one is persisted. */
  repliesInFlight: number;
  replies: ReplyRules;
}

/** A batch whose references may be read already while the one before is persisted. */
interface PreparedBatch<Delivery extends Request> {
  batch: readonly Message<Delivery>[];
  /** Missing while the database is in trouble: how much of the batch is tried at once is then up to `isolation.ts`. */
  prepared?: Persist;
}

/**
 * The way of a message, step by step:
 *
 * 1. `#admit`: decode, parse or map, and authenticate, some messages in each turn of the event loop. A message whose
 *    password must be hashed joins a later batch; a record that its feed leaves out is acknowledged.
 * 2. `#prepare`: a batch is whatever has arrived while the one before was persisted, so that nothing waits at low load
 *    and batches fill by themselves at high load. A full one is prepared ahead: its lookup runs meanwhile.
 * 3. `#persistBatches`: persist
 * 4. `#answer`: reply and tell what was charged, wait for the confirms, acknowledge; in this order, so that a crash repeats
 *    no more than these messages. Where the next batch is prepared, it is sent to the database first
 *
 * Where not all of a batch has an outcome, `#answerSome` answers what has one. Messages whose rows somebody else holds
 * wait in `waiting-messages.ts`; others are tried again.
 *
 * Step 3 goes down through these, each for one reason:
 *
 * - `isolation.ts`: what fails must stop nothing else. `division.ts` searches a batch for it, part by part (`tries.ts`)
 * - `store/persist/read-ahead.ts`: the lookup of a batch need not wait until the one before is written
 * - `store/persist/around-locks.ts`: a row that somebody else holds must stop no call but its own
 * - `store/persist/attempts.ts`: an ordinary try is no transaction; one with timeouts of its own must be
 * - `store/persist/replays.ts`: a replay is persisted first, in one transaction with its dead letter
 * - `store/persist/persist.ts`: decides each call, and again what another worker has changed since the lookup
 * - `store/persist/write.ts`: one statement, so that calls are stored and charged together or not at all
 */
export class Pipeline<Delivery extends Request> {
  readonly #ports: Ports<Delivery>;
  readonly #settings: PipelineSettings;
  readonly #isolation: Isolation<Delivery>;
  readonly #waiting: WaitingMessages<Delivery>;
  /** Still to be admitted, in order. */
  #arrived: Delivery[] = [];
  #admitting: Promise<void> | undefined;
  #ready: Message<Delivery>[] = [];
  #next: PreparedBatch<Delivery> | undefined;
  #persisting: Promise<void> | undefined;
  /** Late admissions and slow replies; bounded by the deliveries in hand. */
  readonly #besideBatches = new Set<Promise<void>>();
  /** Replies of whole batches: a few at most. */
  readonly #replying: Promise<void>[] = [];
  #fail: (error: unknown) => void = () => undefined;
  /** Rejects on the first error that the pipeline does not expect; the process should end then. */
  readonly failure: Promise<never>;

  constructor(ports: Ports<Delivery>, settings: PipelineSettings) {
    this.#ports = ports;
    this.#settings = settings;
    this.failure = new Promise((_, reject) => {
      this.#fail = reject;
    });
    this.failure.catch(() => undefined);
    this.#isolation = new Isolation(ports, settings);
    this.#waiting = new WaitingMessages(ports, this.#isolation, settings, {
      putFirst: (messages) => this.#putFirst(messages),
      answer: (message, outcome) => this.#answer([message], [outcome], 0),
      fail: this.#fail,
    });
  }

  /** Messages in hand that wait for rows that somebody else holds. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** Takes a delivery. It is admitted in one of the next turns of the event loop, and persisted with a batch after that. */
  accept(delivery: Delivery): void {
    this.#arrived.push(delivery);
    this.#admitting ??= this.#admitArrived().catch(this.#fail);
  }

  async #admitArrived(): Promise<void> {
    while (this.#arrived.length > 0) {
      await nextTurn();
      for (const delivery of this.#arrived.splice(0, this.#settings.admittedAtOnce))
        if (this.#ports.isLive(delivery)) inContextOf(delivery, () => this.#admit(delivery));
    }
    this.#admitting = undefined;
  }

  #admit(delivery: Delivery): void {
    const admitted = this.#ports.admit(delivery);
    if (admitted instanceof Promise) this.#doBeside(this.#acceptLate(delivery, admitted));
    else this.#enqueue(delivery, admitted);
  }

  /** The same where a password must be hashed; asks again as long as the database cannot say who the sender is. */
  async #acceptLate(delivery: Delivery, first: Promise<Arrival>): Promise<void> {
    let admitted: Arrival | Promise<Arrival> = first;
    for (let attempt = 0; ; attempt += 1) {
      try {
        this.#enqueue(delivery, await admitted);
        return;
      } catch (error) {
        this.#ports.observe({
          kind: 'trouble',
          cause: troubleCause(error),
          description: describeFailure(error),
        });
        await this.#ports.pause('outage', attempt);
      }
      // Checked before asking again: nobody would hear of a failure that comes after giving up.
      if (!this.#ports.isLive(delivery)) return;
      admitted = this.#ports.admit(delivery);
    }
  }

  #enqueue(delivery: Delivery, admitted: Arrival): void {
    if (admitted.kind === 'set aside') this.#ports.setAside(delivery);
    else if (admitted.kind === 'skipped') {
      this.#ports.observe(admitted);
      this.#ports.acknowledge([delivery]);
    } else {
      this.#ready.push({ delivery, submission: admitted });
      this.#work();
    }
  }

  #work(): void {
    if (this.#persisting !== undefined) {
      this.#prepareAhead();
      return;
    }
    this.#persisting = this.#persistBatches().catch(this.#fail);
  }

  /** Persists batch after batch until nothing is left, and answers each. */
  async #persistBatches(): Promise<void> {
    // So that all deliveries admitted in one turn make one batch.
    await nextTurn();
    while (this.#next !== undefined || this.#ready.length > 0) {
      const next = this.#next ?? this.#prepare();
      this.#next = undefined;
      if (!next.batch.some(({ delivery }) => this.#ports.isLive(delivery))) continue;
      await inContextOf(next.batch[0]?.delivery, () => this.#persistBatch(next));
    }
    this.#persisting = undefined;
  }

  async #persistBatch({ batch, prepared }: PreparedBatch<Delivery>): Promise<void> {
    this.#prepareAhead();
    const started = performance.now();
    const result = await this.#isolation.persist(batch, prepared);
    const persistMs = performance.now() - started;
    if (result.kind === 'all') this.#answerBesideNext(batch, result.outcomes, persistMs);
    else this.#answerSome(batch, result.results, persistMs);
    while (this.#replying.length > this.#settings.repliesInFlight) await Promise.race(this.#replying);
  }

  /** Answers at once, or a turn later where the next batch can be sent first: the database would stand idle meanwhile. */
  #answerBesideNext(
    batch: readonly Message<Delivery>[],
    outcomes: readonly Outcome[],
    persistMs: number,
  ): void {
    if (this.#next === undefined) this.#answer(batch, outcomes, persistMs);
    else this.#reply(nextTurn().then(() => this.#answer(batch, outcomes, persistMs)));
  }

  /** Answers what has an outcome. The rest waits for what holds it, or is tried again. */
  #answerSome(batch: readonly Message<Delivery>[], results: Results<Delivery>, persistMs: number): void {
    const answered: Message<Delivery>[] = [];
    const outcomes: Outcome[] = [];
    const again: Message<Delivery>[] = [];
    const began: Held[] = [];
    let isHeld = false;
    for (const message of batch) {
      const result = results.get(message);
      if (result === undefined) again.push(message);
      else if (result.kind === 'unkeepable') {
        this.#ports.observe({ kind: 'unkeepable', description: result.why });
        this.#waiting.add(message, null, result.why, true);
      } else if (result.kind === 'held') {
        isHeld = true;
        if (result.row === null || !this.#waiting.isWaitedFor(result.row)) began.push(result);
        again.push(...this.#waiting.add(message, result.row, result.why));
      } else {
        answered.push(message);
        outcomes.push(result);
      }
    }
    for (const event of eventsOfHeld(began)) this.#ports.observe(event);
    if (isHeld) this.#unprepare();
    this.#putFirst(again);
    if (answered.length > 0) this.#answer(answered, outcomes, persistMs);
  }

  /** Replies to messages and acknowledges them; does not wait for that. */
  #answer(messages: readonly Message<Delivery>[], outcomes: readonly Outcome[], persistMs: number): void {
    this.#ports.observe({ kind: 'persisted', messages, outcomes, persistMs });
    const quick = this.#answerSlowly(createAnswers(messages, outcomes, this.#settings.replies));
    if (quick.length > 0) this.#reply(this.#replyAndAcknowledge(quick));
  }

  #reply(work: Promise<void>): void {
    const replying: Promise<void> = work.catch(this.#fail).then(() => {
      this.#replying.splice(this.#replying.indexOf(replying), 1);
    });
    this.#replying.push(replying);
  }

  /** Sends those that are slow beside everything else, and returns the rest. */
  #answerSlowly(answers: Answer<Delivery>[]): Answer<Delivery>[] {
    const { isSlow } = this.#ports;
    if (isSlow === undefined || !answers.some(({ reply }) => isSlow(reply))) return answers;
    this.#doBeside(this.#replyAndAcknowledge(answers.filter(({ reply }) => isSlow(reply))));
    return answers.filter(({ reply }) => !isSlow(reply));
  }

  async #replyAndAcknowledge(answers: readonly Answer<Delivery>[]): Promise<void> {
    const replied = publishUntilConfirmed(answers, this.#ports, this.#settings.replies);
    const areTold =
      this.#ports.publishBilled === undefined
        ? await replied
        : await areBoth(replied, publishBilled(answers, this.#ports));
    if (areTold) this.#ports.acknowledge(answers.map(({ message }) => message.delivery));
  }

  /** Prepares the next batch while this one is persisted, if it is full. */
  #prepareAhead(): void {
    if (this.#ready.length >= this.#settings.batchSize && !this.#isolation.inTrouble)
      this.#next ??= this.#prepare();
  }

  #prepare(): PreparedBatch<Delivery> {
    const { inTrouble } = this.#isolation;
    const count = inTrouble ? this.#ready.length : countFitting(this.#ready, this.#settings);
    const batch: Message<Delivery>[] = [];
    for (const message of this.#ready.splice(0, count)) {
      const comesAgain = !this.#ports.isLive(message.delivery);
      const hasToWait = !comesAgain && this.#waiting.addBehindOlder(message);
      if (!comesAgain && !hasToWait) batch.push(message);
    }
    if (inTrouble) return { batch };
    const submissions = batch.map(({ submission }) => submission);
    return { batch, prepared: inContextOf(batch[0]?.delivery, () => this.#ports.prepare(submissions)) };
  }

  /** Takes back a batch that is prepared: something in it may have to stay behind others. */
  #unprepare(): void {
    if (this.#next !== undefined) this.#ready.unshift(...this.#next.batch);
    this.#next = undefined;
  }

  /** What has waited, or could not be persisted, goes before everything that came later. */
  #putFirst(messages: readonly Message<Delivery>[]): void {
    if (messages.length === 0) return;
    this.#unprepare();
    this.#ready.unshift(...messages);
    this.#work();
  }

  #doBeside(work: Promise<void>): void {
    const done: Promise<void> = work.catch(this.#fail).finally(() => this.#besideBatches.delete(done));
    this.#besideBatches.add(done);
  }

  /**
   * Resolves when everything accepted so far is acknowledged, given up, or waiting for a row that somebody else holds;
   * rejects like `failure`.
   */
  async idle(): Promise<void> {
    for (;;) {
      const busy = [
        this.#admitting,
        this.#persisting,
        this.#waiting.trying,
        ...this.#besideBatches,
        ...this.#replying,
      ].filter(Boolean);
      // A failure that came with the last of them counts.
      if (busy.length === 0) return await Promise.race([this.failure, undefined]);
      await Promise.race([this.failure, ...busy]);
    }
  }
}

async function areBoth(one: Promise<boolean>, other: Promise<boolean>): Promise<boolean> {
  const [isOne, isOther] = await Promise.all([one, other]);
  return isOne && isOther;
}
