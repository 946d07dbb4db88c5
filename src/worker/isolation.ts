import type { PersistResult } from '../domain/held.ts';
import type { Outcome } from '../domain/outcome.ts';
import { classifyFailure, describeFailure, troubleCause } from '../store/failures.ts';
import {
  type BatchLimits,
  type BatchResult,
  countFitting,
  type Message,
  type Persist,
  type Results,
} from './batch.ts';
import { Division } from './division.ts';
import type { PassingFailure } from './ports.ts';
import type { Request } from './request.ts';
import { type Failure, Tries, type TryPorts } from './tries.ts';

/** Rounds in a row in which a failure is believed. */
const BELIEVED: Readonly<Record<PassingFailure, number>> = { collision: 6, outage: 3 };
/** Tries of a refused message that waits, before its dead letter is taken to be at fault: some ten seconds. */
const OLD_SUSPECT = 4;

/**
 * Persists batches whatever fails in them. A message that fails for a reason of its own is found by dividing its batch,
 * and kept as a dead letter. A failure that says that it is a collision or an outage is believed for some rounds. After that
 * its cause is searched for in the same way: if one message fails again and again, and a call can be stored right after it,
 * then that message or a row of it is the cause, and it waits together with similar calls. If no call can be stored, it
 * is an outage, and no message is suspected.
 */
export class Isolation<Delivery extends Request> {
  readonly #ports: TryPorts<Delivery>;
  readonly #limits: BatchLimits;
  readonly #tries: Tries<Delivery>;
  /** Rounds in a row that failed. */
  #attempt = 0;

  constructor(ports: TryPorts<Delivery>, limits: BatchLimits) {
    this.#ports = ports;
    this.#limits = limits;
    this.#tries = new Tries(ports);
  }

  /** Whether the latest round failed. Then all that has arrived goes into the next, for some of it may get through. */
  get inTrouble(): boolean {
    return this.#attempt > 0;
  }

  /**
   * One round. Waits where it failed.
   *
   * @param prepared persists the batch, where that has been prepared; then the batch fits one transaction
   */
  async persist(batch: readonly Message<Delivery>[], prepared?: Persist): Promise<BatchResult<Delivery>> {
    const count = countFitting(batch, this.#limits);
    if (count < batch.length) return await this.#persistFirst(batch, count);
    let persisted: PersistResult[];
    try {
      const persist = prepared ?? this.#ports.prepare(batch.map(({ submission }) => submission));
      persisted = await persist();
    } catch (error) {
      return await this.#finish(batch, new Map(), { error }, true);
    }
    this.#attempt = 0;
    if (persisted.every(isOutcome)) return { kind: 'all', outcomes: persisted };
    const results: Results<Delivery> = new Map();
    this.#tries.note(batch, persisted, results);
    return await this.#finish(batch, results, undefined, true);
  }

  /** A round of a batch that one transaction does not take. */
  async #persistFirst(batch: readonly Message<Delivery>[], count: number): Promise<BatchResult<Delivery>> {
    const results: Results<Delivery> = new Map();
    const failure = await this.#tries.together(batch.slice(0, count), 'ordinary', results);
    return await this.#finish(batch, results, failure, false);
  }

  /** Ends a round in which not all of the batch has an outcome yet. */
  async #finish(
    batch: readonly Message<Delivery>[],
    results: Results<Delivery>,
    failure: Failure | undefined,
    isWhole: boolean,
  ): Promise<BatchResult<Delivery>> {
    if (results.size === batch.length) return { kind: 'some', results };
    if (failure === undefined || !(await this.#believe(failure.error)))
      await this.#divide(batch, results, failure, isWhole);
    // Others may get through beside what is left: they need not wait as long as in an outage.
    if (results.size > 0) this.#attempt = Math.min(this.#attempt, BELIEVED.outage);
    if (results.size === batch.length) this.#attempt = 0;
    return { kind: 'some', results };
  }

  /**
   * Tries one message that waits. Undefined, with the error, where it is still stopped.
   *
   * @param before tries of it that were in vain
   */
  async alone(
    message: Message<Delivery>,
    before: number,
  ): Promise<{ result: PersistResult | undefined; why: string }> {
    const results: Results<Delivery> = new Map();
    const failure = await this.#tries.together([message], 'alone', results);
    const isParked = failure !== undefined && (await this.#isToBeParked(message, failure.error, before));
    const last = isParked ? await this.#tries.park(message, failure.error, results) : failure;
    const result = results.get(message);
    if (result?.kind === 'unkeepable') return { result: undefined, why: result.why };
    return { result, why: last === undefined ? '' : describeFailure(last.error) };
  }

  /** A refused message leaves only its dead letter: where that fails again and again while others get through, it is kept smaller. */
  async #isToBeParked({ submission }: Message<Delivery>, error: unknown, before: number): Promise<boolean> {
    if (classifyFailure(error) === 'message') return true;
    const isOld = submission.kind === 'decided' && before >= OLD_SUSPECT;
    return isOld && !this.inTrouble && (await this.#ports.isWell(error));
  }

  /** Whether a failure is still taken for what it says; then it has been waited for. */
  async #believe(error: unknown): Promise<boolean> {
    const cause = classifyFailure(error);
    if (cause === 'message') return false;
    this.#ports.observe({ kind: 'trouble', cause: troubleCause(error), description: describeFailure(error) });
    await this.#rest(cause);
    return this.#attempt < BELIEVED[cause] || !(await this.#ports.isWell(error));
  }

  /** After a round in which nothing got through. */
  async #rest(cause: PassingFailure): Promise<void> {
    await this.#ports.pause(cause, this.#attempt);
    this.#attempt += 1;
  }

  async #divide(
    batch: readonly Message<Delivery>[],
    results: Results<Delivery>,
    failure: Failure | undefined,
    isWhole: boolean,
  ): Promise<void> {
    const isOwn = failure !== undefined && classifyFailure(failure.error) === 'message';
    const division = new Division(this.#ports, this.#tries, this.#limits, {
      results,
      manner: isOwn ? 'ordinary' : 'brief',
      failedRounds: this.#attempt,
    });
    await division.persist(batch, isWhole ? failure : undefined);
    if (results.size === 0) await this.#rest('collision');
  }
}

function isOutcome(persisted: PersistResult): persisted is Outcome {
  return persisted.kind !== 'held';
}
