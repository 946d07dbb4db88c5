import type { Outcome } from '../domain/outcome.ts';
import type { FailureKind } from '../store/failures.ts';
import type { Entry, SetAside } from './admission.ts';
import { type AnswerPorts, Answers } from './answers.ts';
import type { Request } from './envelope.ts';
import {
  type BatchLimits,
  type Done,
  fitting,
  type InHand,
  Isolation,
  type IsolationPorts,
  type PassingFailure,
  type Persist,
} from './isolation.ts';
import type { WaitingListSettings } from './waiting-list.ts';
import { WaitingMessages, type WaitingPorts } from './waiting-messages.ts';

export type { Published } from './answers.ts';
export type { PassingFailure, Persist } from './isolation.ts';

/** The outside world as the pipeline sees it; a delivery is whatever the broker side made it. */
export interface Ports<Delivery>
  extends Omit<IsolationPorts<Delivery>, 'pause' | 'trouble'>,
    Omit<AnswerPorts<Delivery>, 'unroutableReply' | 'unconfirmed'>,
    Pick<WaitingPorts<Delivery>, 'isHeld' | 'isRefused' | 'look' | 'now'> {
  admit: (request: Request, delivery: Delivery) => Entry | SetAside | Promise<Entry | SetAside>;
  /** Sends a delivery out of hand, to where it is persisted later. */
  setAside: (delivery: Delivery) => void;
  /** Waits before another try. */
  pause: (cause: PassingFailure | 'broker', attempt: number) => Promise<void>;
  observe: (event: PipelineEvent) => void;
}

export type PipelineEvent =
  | {
      kind: 'persisted';
      outcomes: readonly Outcome[];
      admitted: readonly Entry[];
      requests: readonly Request[];
      persistMs: number;
    }
  | { kind: 'unroutable reply'; uniqueid: string | null; request: Request }
  | { kind: 'trouble'; cause: FailureKind | 'broker'; description: string }
  /** How many messages are in hand whose rows are held by others. */
  | { kind: 'waiting'; messages: number }
  /** A message whose dead letter the database refuses in every form. It stays in hand. */
  | { kind: 'unkeepable'; description: string };

export interface PipelineSettings extends WaitingListSettings, BatchLimits {
  /** Batches whose replies may be on their way while the next one persists. */
  repliesInFlight: number;
}

interface Prepared<Delivery> {
  batch: readonly InHand<Delivery>[];
  persist: Persist;
}

/**
 * The way of a message: decode → parse → authenticate → persist → reply → acknowledge. A batch is whatever has
 * arrived while the one before was persisted, so that nothing waits at low load and batches fill by themselves at
 * high load. A full one is prepared while the one before is persisted. What is done where persisting fails is in
 * `worker/isolation.ts`, who waits for a row that somebody else holds in `worker/waiting-messages.ts`, reply and acknowledgement, in the order
 * that is promised, in `worker/answers.ts`.
 */
export class Pipeline<Delivery> {
  readonly #ports: Ports<Delivery>;
  readonly #settings: PipelineSettings;
  readonly #isolation: Isolation<Delivery>;
  readonly #waiting: WaitingMessages<Delivery>;
  readonly #answers: Answers<Delivery>;
  #ready: InHand<Delivery>[] = [];
  #next: Prepared<Delivery> | undefined;
  #admitting = new Set<Promise<void>>();
  #persisting: Promise<void> | undefined;
  #failed: (error: unknown) => void = () => undefined;
  /** Rejects on the first error that the pipeline does not expect; the process should end then. */
  readonly failure: Promise<never>;

  constructor(ports: Ports<Delivery>, settings: PipelineSettings) {
    this.#ports = ports;
    this.#settings = settings;
    const trouble: IsolationPorts<Delivery>['trouble'] = (cause, description) =>
      ports.observe({ kind: 'trouble', cause, description });
    this.#isolation = new Isolation({ ...ports, trouble }, settings);
    this.#waiting = new WaitingMessages(
      {
        ...ports,
        goOn: (messages) => this.#putFirst(messages),
        answer: (message, outcome) => {
          this.#observePersisted([message], [outcome], 0);
          return this.#answers.begin([message], [outcome]);
        },
        changed: (messages) => ports.observe({ kind: 'waiting', messages }),
        failed: (error) => this.#failed(error),
      },
      this.#isolation,
      settings,
    );
    this.#answers = new Answers(
      {
        ...ports,
        unroutableReply: (uniqueid, request) =>
          ports.observe({ kind: 'unroutable reply', uniqueid, request }),
        unconfirmed: (attempt) => this.#trouble('broker', 'replies were not confirmed', attempt),
      },
      settings.repliesInFlight,
      (error) => this.#failed(error),
    );
    this.failure = new Promise((_, reject) => {
      this.#failed = reject;
    });
    this.failure.catch(() => undefined);
  }

  /** Takes a message in: bytes to call, at once or, where a password must be hashed, beside the batches. */
  accept(delivery: Delivery, request: Request): void {
    const admitted = this.#ports.admit(request, delivery);
    if (!(admitted instanceof Promise)) {
      this.#admit(delivery, request, admitted);
      return;
    }
    const later: Promise<void> = this.#admitLate(delivery, request, admitted)
      .catch((error) => this.#failed(error))
      .finally(() => this.#admitting.delete(later));
    this.#admitting.add(later);
  }

  /** Messages in hand whose rows are held by somebody else. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /**
   * Resolves when everything accepted so far is acknowledged, given up, or waiting for a row that somebody else holds;
   * rejects like `failure`.
   */
  async idle(): Promise<void> {
    for (;;) {
      const busy = [
        this.#persisting,
        this.#waiting.trying,
        ...this.#admitting,
        ...this.#answers.pending,
      ].filter(Boolean);
      if (busy.length === 0) return;
      await Promise.race([this.failure, ...busy]);
    }
  }

  #admit(delivery: Delivery, request: Request, admitted: Entry | SetAside): void {
    if ('kind' in admitted) this.#ports.setAside(delivery);
    else this.#enqueue({ delivery, request, admitted });
  }

  async #admitLate(delivery: Delivery, request: Request, first: Promise<Entry | SetAside>): Promise<void> {
    let admitted: Entry | SetAside | Promise<Entry | SetAside> = first;
    for (let attempt = 0; ; attempt += 1) {
      try {
        this.#admit(delivery, request, await admitted);
        return;
      } catch (error) {
        await this.#trouble('outage', error, attempt);
      }
      // Looked at before asking again: nobody would hear of a failure that comes after giving up.
      if (!this.#ports.alive(delivery)) return;
      admitted = this.#ports.admit(request, delivery);
    }
  }

  #enqueue(message: InHand<Delivery>): void {
    this.#ready.push(message);
    this.#work();
  }

  /** What has waited, or could not be persisted, goes before everything that came later. */
  #putFirst(messages: readonly InHand<Delivery>[]): void {
    if (messages.length === 0) return;
    this.#unprepare();
    this.#ready.unshift(...messages);
    this.#work();
  }

  #work(): void {
    if (this.#persisting !== undefined) {
      this.#prepareAhead();
      return;
    }
    // Deferred, so that all deliveries of one read from the socket make one batch.
    this.#persisting = new Promise<void>((resolve) => setImmediate(resolve))
      .then(() => this.#persistReady())
      .catch((error) => this.#failed(error));
  }

  #prepareAhead(): void {
    if (this.#ready.length >= this.#settings.batchSize && !this.#isolation.inTrouble)
      this.#next ??= this.#prepare();
  }

  /** Takes back what is prepared ahead: something in it may have to stay behind others. */
  #unprepare(): void {
    if (this.#next !== undefined) this.#ready.unshift(...this.#next.batch);
    this.#next = undefined;
  }

  #prepare(): Prepared<Delivery> {
    const taken = this.#ready.splice(
      0,
      this.#isolation.inTrouble ? this.#ready.length : fitting(this.#ready, this.#settings),
    );
    const batch = taken.filter(
      (message) => this.#ports.alive(message.delivery) && !this.#waiting.staysBehind(message),
    );
    return { batch, persist: this.#ports.prepare(batch.map(({ admitted }) => admitted)) };
  }

  #takeNext(): Prepared<Delivery> | undefined {
    const next = this.#next ?? (this.#ready.length > 0 ? this.#prepare() : undefined);
    this.#next = undefined;
    return next;
  }

  async #persistReady(): Promise<void> {
    for (let next = this.#takeNext(); next !== undefined; next = this.#takeNext()) {
      const { batch, persist } = next;
      if (!batch.some(({ delivery }) => this.#ports.alive(delivery))) continue;
      this.#prepareAhead();
      const started = performance.now();
      const done = await this.#isolation.persist(batch, persist);
      const { persisted, outcomes } = Array.isArray(done)
        ? { persisted: batch, outcomes: done }
        : this.#partOf(batch, done);
      if (persisted.length === 0) continue;
      this.#observePersisted(persisted, outcomes, performance.now() - started);
      await this.#answers.begin(persisted, outcomes);
    }
    this.#persisting = undefined;
  }

  /** What of a batch can be answered. The rest waits for what holds it, or is tried again. */
  #partOf(batch: readonly InHand<Delivery>[], done: Done<Delivery>) {
    const persisted: InHand<Delivery>[] = [];
    const outcomes: Outcome[] = [];
    const again: InHand<Delivery>[] = [];
    let isHeld = false;
    for (const message of batch) {
      const result = done.get(message);
      if (result === undefined) again.push(message);
      else if (result.kind === 'unkeepable') {
        this.#ports.observe({ kind: 'unkeepable', description: result.why });
        this.#waiting.add(message, null, result.why, true);
      } else if (result.kind === 'held') {
        isHeld = true;
        again.push(...this.#waiting.add(message, result.row, result.why));
      } else {
        persisted.push(message);
        outcomes.push(result);
      }
    }
    if (isHeld) this.#unprepare();
    this.#putFirst(again);
    return { persisted, outcomes };
  }

  #observePersisted(
    persisted: readonly InHand<Delivery>[],
    outcomes: readonly Outcome[],
    persistMs: number,
  ): void {
    const admitted = persisted.map((message) => message.admitted);
    const requests = persisted.map(({ request }) => request);
    this.#ports.observe({ kind: 'persisted', outcomes, admitted, requests, persistMs });
  }

  async #trouble(cause: PassingFailure | 'broker', error: unknown, attempt: number): Promise<void> {
    const description = typeof error === 'string' ? error : this.#ports.describe(error);
    this.#ports.observe({ kind: 'trouble', cause, description });
    await this.#ports.pause(cause, attempt);
  }
}
