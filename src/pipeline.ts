import type { Admitted, SetAside } from './admission.ts';
import type { Reply, Request } from './broker/envelope.ts';
import type { Outcome } from './domain/outcome.ts';
import type { Submission } from './domain/submission.ts';

/** What the broker said of one reply. */
export type Published = 'confirmed' | 'returned' | 'failed';

/** Whose fault a failed settling is: a passing collision, the database's state, or one message of the batch. */
export type Blame = 'collision' | 'outage' | 'message';

/** All or nothing per statement; what it did is safe to do again. Rejects with what `blame` judges. */
export type Settle = () => Promise<Outcome[]>;

/** The outside world as the pipeline sees it; a delivery is whatever the broker side made it. */
export interface Ports<Delivery> {
  admit: (request: Request, delivery: Delivery) => Admitted | SetAside | Promise<Admitted | SetAside>;
  /** Sends a delivery out of hand, to where it is settled later. */
  setAside: (delivery: Delivery) => void;
  /** Begins to ask what these entries need to know, and returns what settles them. */
  prepare: (entries: readonly Submission[]) => Settle;
  blame: (error: unknown) => Blame;
  /** One line that names no value of the call. */
  describe: (error: unknown) => string;
  reply: (request: Request, uniqueid: string | null, outcome: Outcome) => Reply;
  /** The same reply where it goes when its first address cannot be reached. */
  fallback: (request: Request, uniqueid: string | null, outcome: Outcome) => Reply;
  publish: (replies: readonly Reply[]) => Promise<Published[]>;
  /** Replies that may take longer than their neighbours: these are not kept waiting for them. None, if not given. */
  isSlow?: (reply: Reply) => boolean;
  /** Tells the one place that acknowledges. */
  acknowledge: (deliveries: readonly Delivery[]) => void;
  /** Whether an acknowledgement could still reach the broker; if not, the message comes again. */
  alive: (delivery: Delivery) => boolean;
  /** Waits before another try. */
  pause: (cause: Exclude<Blame, 'message'> | 'broker', attempt: number) => Promise<void>;
  observe: (event: PipelineEvent) => void;
}

export type PipelineEvent =
  | {
      kind: 'settled';
      outcomes: readonly Outcome[];
      admitted: readonly Admitted[];
      requests: readonly Request[];
      settleMs: number;
    }
  | { kind: 'unreceivable'; uniqueid: string | null; request: Request }
  | { kind: 'trouble'; cause: Blame | 'broker'; description: string };

export interface PipelineSettings {
  /** Messages that one transaction takes at most. */
  batchSize: number;
  /** Bytes of their bodies at most; a larger message is settled alone. */
  batchBytes: number;
  /** Batches whose replies may be on their way while the next one settles. */
  repliesInFlight: number;
}

interface InHand<Delivery> {
  delivery: Delivery;
  request: Request;
  admitted: Admitted;
}

interface Answer<Delivery> {
  message: InHand<Delivery>;
  outcome: Outcome;
  reply: Reply;
}

interface Prepared<Delivery> {
  batch: readonly InHand<Delivery>[];
  settle: Settle;
}

/** Raised inside the pipeline when every delivery of a batch is dead: the broker has them again. */
class Abandoned extends Error {}

/**
 * The way of a message: decode → parse → authenticate → settle → reply → acknowledge. A batch is whatever has
 * arrived while the one before was settled, so that nothing waits at low load and batches fill by themselves at
 * high load. A full one is prepared while the one before is settled. All of it stands in this one file, because the
 * order of the steps is what is promised.
 */
export class Pipeline<Delivery> {
  readonly #ports: Ports<Delivery>;
  readonly #settings: PipelineSettings;
  /** A few at most; an array for the reason that `TagWindow` has. */
  readonly #replying: Promise<void>[] = [];
  /** Answers that keep nobody waiting; bounded by the deliveries in hand. */
  readonly #replyingSlowly = new Set<Promise<void>>();
  #ready: InHand<Delivery>[] = [];
  #next: Prepared<Delivery> | undefined;
  #admitting = new Set<Promise<void>>();
  #settling: Promise<void> | undefined;
  #failed: (error: unknown) => void = () => undefined;
  /** Rejects on the first error that the pipeline does not expect; the process should end then. */
  readonly failure: Promise<never>;

  constructor(ports: Ports<Delivery>, settings: PipelineSettings) {
    this.#ports = ports;
    this.#settings = settings;
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

  /** Resolves when everything accepted so far is acknowledged or given up; rejects like `failure`. */
  async idle(): Promise<void> {
    while (
      this.#admitting.size > 0 ||
      this.#settling !== undefined ||
      this.#replying.length > 0 ||
      this.#replyingSlowly.size > 0
    ) {
      await Promise.race([
        this.failure,
        ...this.#admitting,
        ...this.#replying,
        ...this.#replyingSlowly,
        ...(this.#settling ? [this.#settling] : []),
      ]);
    }
  }

  #admit(delivery: Delivery, request: Request, admitted: Admitted | SetAside): void {
    if ('kind' in admitted) this.#ports.setAside(delivery);
    else this.#enqueue({ delivery, request, admitted });
  }

  async #admitLate(delivery: Delivery, request: Request, first: Promise<Admitted | SetAside>): Promise<void> {
    let admitted: Admitted | SetAside | Promise<Admitted | SetAside> = first;
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
    if (this.#settling !== undefined) {
      this.#prepareAhead();
      return;
    }
    // Deferred, so that all deliveries of one read from the socket make one batch.
    this.#settling = new Promise<void>((resolve) => setImmediate(resolve))
      .then(() => this.#settleReady())
      .catch((error) => this.#failed(error));
  }

  #prepareAhead(): void {
    if (this.#ready.length >= this.#settings.batchSize) this.#next ??= this.#prepare();
  }

  #prepare(): Prepared<Delivery> {
    const taken = this.#ready.splice(0, this.#fitting());
    const batch = taken.filter(({ delivery }) => this.#ports.alive(delivery));
    return { batch, settle: this.#ports.prepare(batch.map(({ admitted }) => admitted)) };
  }

  /** How many of those that are ready one transaction takes. */
  #fitting(): number {
    const { batchSize, batchBytes } = this.#settings;
    const most = Math.min(this.#ready.length, batchSize);
    let bytes = 0;
    for (let count = 0; count < most; count += 1) {
      bytes += this.#ready[count]?.request.body.length ?? 0;
      if (bytes > batchBytes) return Math.max(1, count);
    }
    return most;
  }

  #takeNext(): Prepared<Delivery> | undefined {
    const next = this.#next ?? (this.#ready.length > 0 ? this.#prepare() : undefined);
    this.#next = undefined;
    return next;
  }

  async #settleReady(): Promise<void> {
    for (let next = this.#takeNext(); next !== undefined; next = this.#takeNext()) {
      const { batch } = next;
      if (!batch.some(({ delivery }) => this.#ports.alive(delivery))) continue;
      this.#prepareAhead();
      const outcomes = await this.#settle(next).catch(abandoned);
      if (outcomes === undefined) continue;
      const quick = this.#answerSlowly(this.#answersTo(batch, outcomes));
      if (quick.length === 0) continue;
      while (this.#replying.length >= this.#settings.repliesInFlight) await Promise.race(this.#replying);
      const answered: Promise<void> = this.#answer(quick)
        .catch((error) => this.#failed(error))
        .finally(() => this.#replying.splice(this.#replying.indexOf(answered), 1));
      this.#replying.push(answered);
    }
    this.#settling = undefined;
  }

  #answersTo(batch: readonly InHand<Delivery>[], outcomes: readonly Outcome[]): Answer<Delivery>[] {
    return batch.flatMap((message, index) => {
      const outcome = outcomes[index];
      const { uniqueid } = message.admitted;
      return outcome
        ? [{ message, outcome, reply: this.#ports.reply(message.request, uniqueid, outcome) }]
        : [];
    });
  }

  /** Answers those that are slow beside everything else, and returns the rest. */
  #answerSlowly(answers: Answer<Delivery>[]): Answer<Delivery>[] {
    const isSlow = this.#ports.isSlow;
    const slow = isSlow === undefined ? [] : answers.filter(({ reply }) => isSlow(reply));
    if (slow.length === 0) return answers;
    const answered: Promise<void> = this.#answer(slow)
      .catch((error) => this.#failed(error))
      .finally(() => this.#replyingSlowly.delete(answered));
    this.#replyingSlowly.add(answered);
    return answers.filter(({ reply }) => !isSlow?.(reply));
  }

  /** Reply, then acknowledge: in this order, so that a crash in between only repeats the reply. */
  async #answer(answers: readonly Answer<Delivery>[]): Promise<void> {
    const confirmed = await this.#reply(answers).then(() => true, abandoned);
    if (confirmed) this.#ports.acknowledge(answers.map(({ message }) => message.delivery));
  }

  /** Settles until it is done; a message that fails for a reason of its own is found by halving the batch. */
  async #settle({ batch, settle }: Prepared<Delivery>): Promise<Outcome[]> {
    const started = performance.now();
    const admitted = batch.map((message) => message.admitted);
    const outcomes = await this.#settleApart(batch, admitted, settle);
    const requests = batch.map(({ request }) => request);
    const settleMs = performance.now() - started;
    this.#ports.observe({ kind: 'settled', outcomes, admitted, requests, settleMs });
    return outcomes;
  }

  async #settleApart(
    batch: readonly InHand<Delivery>[],
    entries: readonly Submission[],
    settle = this.#ports.prepare(entries),
  ): Promise<Outcome[]> {
    for (let attempt = 0; ; attempt += 1) {
      try {
        return await (attempt === 0 ? settle() : this.#ports.prepare(entries)());
      } catch (error) {
        const blame = this.#ports.blame(error);
        if (blame !== 'message') {
          await this.#trouble(blame, error, attempt);
          if (!batch.some(({ delivery }) => this.#ports.alive(delivery))) throw new Abandoned();
        } else if (entries.length > 1) {
          const half = Math.ceil(entries.length / 2);
          const first = await this.#settleApart(batch, entries.slice(0, half));
          return [...first, ...(await this.#settleApart(batch, entries.slice(half)))];
        } else return this.#park(batch, entries, error);
      }
    }
  }

  /** The message that no transaction takes is kept with the error. */
  async #park(
    batch: readonly InHand<Delivery>[],
    entries: readonly Submission[],
    error: unknown,
  ): Promise<Outcome[]> {
    const description = this.#ports.describe(error);
    this.#ports.observe({ kind: 'trouble', cause: 'message', description });
    const outcome: Outcome = { kind: 'failed', reason: 'failed', error: description };
    const isParked = entries.every(
      ({ verdict }) => verdict.kind === 'answer' && verdict.outcome.kind === 'failed',
    );
    // A parked message that fails again cannot be the message's fault: it is kept in hand until it can be kept.
    if (isParked) {
      await this.#trouble('outage', error, 5);
      if (!batch.some(({ delivery }) => this.#ports.alive(delivery))) throw new Abandoned();
    }
    const parked = entries.map(
      (entry): Submission => ({ ...entry, verdict: { kind: 'answer', outcome, validationOnly: false } }),
    );
    return this.#settleApart(batch, parked);
  }

  /** Publishes the replies until each is confirmed, or cannot be received by anybody. */
  async #reply(answers: readonly Answer<Delivery>[]): Promise<void> {
    let open = answers;
    for (let attempt = 0; ; attempt += 1) {
      const results = await this.#ports.publish(open.map(({ reply }) => reply));
      open = open.flatMap(({ message, outcome, reply }, index) => {
        const result = results[index];
        if (result === 'confirmed') return [];
        const { uniqueid } = message.admitted;
        const elsewhere = this.#ports.fallback(message.request, uniqueid, outcome);
        const isLast = reply.exchange === elsewhere.exchange;
        if (result === 'returned' && isLast) {
          this.#ports.observe({ kind: 'unreceivable', uniqueid, request: message.request });
          return [];
        }
        // A failed direct reply is not tried again: its token may be what closed the connection.
        return [{ message, outcome, reply: result === 'returned' || reply.direct ? elsewhere : reply }];
      });
      if (open.length === 0) return;
      if (results.includes('failed')) await this.#trouble('broker', 'replies were not confirmed', attempt);
      if (!answers.some(({ message }) => this.#ports.alive(message.delivery))) throw new Abandoned();
    }
  }

  async #trouble(
    cause: Exclude<Blame, 'message'> | 'broker',
    error: unknown,
    attempt: number,
  ): Promise<void> {
    const description = typeof error === 'string' ? error : this.#ports.describe(error);
    this.#ports.observe({ kind: 'trouble', cause, description });
    await this.#ports.pause(cause, attempt);
  }
}

function abandoned(error: unknown): undefined {
  if (!(error instanceof Abandoned)) throw error;
}
