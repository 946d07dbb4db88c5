import { minimalDeadLetter } from '../domain/dead-letter.ts';
import type { Manner, PersistResult } from '../domain/held.ts';
import { deadReasonOf, isFirst, type Outcome } from '../domain/outcome.ts';
import { asDecided, type Submission } from '../domain/submission.ts';
import { classifyFailure, describeFailure } from '../store/failures.ts';
import type { Message, Persist, Results } from './batch.ts';
import type { Ports } from './ports.ts';
import type { Request } from './request.ts';

/** What persisting needs of the outside world. */
export type TryPorts<Delivery> = Pick<
  Ports<Delivery>,
  'prepare' | 'isWell' | 'rows' | 'isLive' | 'pause' | 'observe'
>;

/** How a try failed. */
export interface Failure {
  error: unknown;
}

/** Times that a message must fail alone, one after the other, before chance is no excuse. */
const ALONE = 3;

/** Tries to persist messages, in whatever form they can be kept, and counts what got through. */
export class Tries<Delivery extends Request> {
  readonly #ports: TryPorts<Delivery>;
  /** Calls stored, and messages that left anything in the database. */
  stored = 0;
  wrote = 0;

  constructor(ports: TryPorts<Delivery>) {
    this.#ports = ports;
  }

  /** One statement for all of them. Returns how it failed. */
  async together(
    messages: readonly Message<Delivery>[],
    manner: Manner,
    results: Results<Delivery>,
  ): Promise<Failure | undefined> {
    const submissions = messages.map(({ submission }) => submission);
    return await this.#persist(messages, this.#ports.prepare(submissions, manner), results);
  }

  /** The same for one message until it has failed often enough; at once where the failure is the message's own. */
  async insist(
    message: Message<Delivery>,
    submission: Submission,
    before: Failure | undefined,
    results: Results<Delivery>,
  ): Promise<Failure | undefined> {
    let latest = before;
    for (let attempt = before === undefined ? 0 : 1; attempt < ALONE; attempt += 1) {
      if (latest !== undefined) await this.#ports.pause('collision', attempt);
      latest = await this.#persist([message], this.#ports.prepare([submission], 'brief'), results);
      if (latest === undefined || classifyFailure(latest.error) === 'message') return latest;
    }
    return latest;
  }

  /**
   * Keeps a message that no transaction takes as a dead letter with the error, and in the least form where its own is
   * refused. Returns why not even that could be kept.
   */
  async park(
    message: Message<Delivery>,
    error: unknown,
    results: Results<Delivery>,
  ): Promise<Failure | undefined> {
    const why = describeFailure(error);
    this.#ports.observe({ kind: 'trouble', cause: 'message', description: why });
    const { submission, delivery } = message;
    const outcome: Outcome = { kind: 'failed', reason: 'failed', error: why };
    const own = await this.insist(message, asDecided(outcome, submission), undefined, results);
    if (own === undefined) return undefined;
    const { source } = submission.deadLetter() ?? { source: null };
    const deadLetter = () => minimalDeadLetter(delivery.body, delivery.bytes, source);
    return await this.insist(message, asDecided(outcome, { ...submission, deadLetter }), undefined, results);
  }

  /** What messages came to, one for one. */
  note(
    messages: readonly Message<Delivery>[],
    persisted: readonly PersistResult[],
    results: Results<Delivery>,
  ): void {
    messages.forEach((message, index) => {
      const result = persisted[index];
      if (result === undefined) return;
      results.set(message, result);
      if (result.kind === 'held') return;
      const isStored = isFirst(result);
      if (isStored) this.stored += 1;
      if (isStored || deadReasonOf(result, false) !== null) this.wrote += 1;
    });
  }

  async #persist(
    messages: readonly Message<Delivery>[],
    persist: Persist,
    results: Results<Delivery>,
  ): Promise<Failure | undefined> {
    try {
      this.note(messages, await persist(), results);
      return undefined;
    } catch (error) {
      return { error };
    }
  }
}
