import type { Outcome } from '../domain/outcome.ts';
import type { Reply, Request } from './envelope.ts';
import type { InHand } from './isolation.ts';

/** What the broker said of one reply. */
export type Published = 'confirmed' | 'returned' | 'failed';

export interface AnswerPorts<Delivery> {
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
  unroutableReply: (uniqueid: string | null, request: Request) => void;
  /** Tells of replies that were not confirmed, and waits before the next try. */
  unconfirmed: (attempt: number) => Promise<void>;
}

interface Answer<Delivery> {
  message: InHand<Delivery>;
  outcome: Outcome;
  reply: Reply;
}

/** Raised here when every delivery of a batch is dead: the broker has them again. */
class Abandoned extends Error {}

/** The second half of a message's way: reply, wait for the confirm, acknowledge; in this order, so that a crash repeats no more than the reply. */
export class Answers<Delivery> {
  readonly #ports: AnswerPorts<Delivery>;
  readonly #inFlight: number;
  readonly #failed: (error: unknown) => void;
  /** A few at most. */
  readonly #replying: Promise<void>[] = [];
  /** Answers that keep nobody waiting; bounded by the deliveries in hand. */
  readonly #replyingSlowly = new Set<Promise<void>>();

  /** @param inFlight batches whose replies may be on their way at once */
  constructor(ports: AnswerPorts<Delivery>, inFlight: number, failed: (error: unknown) => void) {
    this.#ports = ports;
    this.#inFlight = inFlight;
    this.#failed = failed;
  }

  /** What is on its way. */
  get pending(): Promise<void>[] {
    return [...this.#replying, ...this.#replyingSlowly];
  }

  /** Begins to answer a batch; resolves when there is room for the next one. */
  async begin(batch: readonly InHand<Delivery>[], outcomes: readonly Outcome[]): Promise<void> {
    const quick = this.#answerSlowly(this.#answersTo(batch, outcomes));
    if (quick.length === 0) return;
    while (this.#replying.length >= this.#inFlight) await Promise.race(this.#replying);
    const answered: Promise<void> = this.#answer(quick)
      .catch((error) => this.#failed(error))
      .finally(() => this.#replying.splice(this.#replying.indexOf(answered), 1));
    this.#replying.push(answered);
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

  async #answer(answers: readonly Answer<Delivery>[]): Promise<void> {
    const confirmed = await this.#reply(answers).then(() => true, abandoned);
    if (confirmed) this.#ports.acknowledge(answers.map(({ message }) => message.delivery));
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
          this.#ports.unroutableReply(uniqueid, message.request);
          return [];
        }
        // A failed direct reply is not tried again: its token may be what closed the connection.
        return [{ message, outcome, reply: result === 'returned' || reply.direct ? elsewhere : reply }];
      });
      if (open.length === 0) return;
      if (results.includes('failed')) await this.#ports.unconfirmed(attempt);
      if (!answers.some(({ message }) => this.#ports.alive(message.delivery))) throw new Abandoned();
    }
  }
}

function abandoned(error: unknown): undefined {
  if (!(error instanceof Abandoned)) throw error;
}
