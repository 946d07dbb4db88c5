import type { DeadLetter } from '../domain/dead-letter.ts';
import { callsLike, type Held, type Manner, type PersistResult } from '../domain/held.ts';
import { deadReasonOf, type Outcome } from '../domain/outcome.ts';
import type { Submission } from '../domain/submission.ts';
import type { FailureKind } from '../store/failures.ts';
import type { Entry } from './admission.ts';
import type { Request } from './envelope.ts';

/** What a failure says of itself that may pass. It is believed for a while only: it may be one message's doing as well. */
export type PassingFailure = Exclude<FailureKind, 'message'>;

/** Atomic and idempotent. Rejects with an error that `classify` takes. */
export type Persist = () => Promise<PersistResult[]>;

/** A message on its way. */
export interface InHand<Delivery> {
  delivery: Delivery;
  request: Request;
  admitted: Entry;
}

/** No transaction takes the message, nor a dead letter of it in any form. It stays in hand. */
export interface Unkeepable {
  kind: 'unkeepable';
  why: string;
}

export interface BatchLimits {
  /** Messages that one transaction takes at most. */
  batchSize: number;
  /** Bytes of their bodies at most; a larger message is persisted alone. */
  batchBytes: number;
}

/** How many of these, from the first one on, one transaction takes. */
export function fitting(
  messages: readonly { request: Request }[],
  { batchSize, batchBytes }: BatchLimits,
): number {
  const most = Math.min(messages.length, batchSize);
  let bytes = 0;
  for (let count = 0; count < most; count += 1) {
    bytes += messages[count]?.request.body.length ?? 0;
    if (bytes > batchBytes) return Math.max(1, count);
  }
  return most;
}

/** What each message of a batch came to; what is missing is to be tried again. */
export type Done<Delivery> = Map<InHand<Delivery>, PersistResult | Unkeepable>;

export interface IsolationPorts<Delivery> {
  prepare: (entries: readonly Submission[], manner?: Manner) => Persist;
  classify: (error: unknown) => FailureKind;
  /** One line that names no value of the call. */
  describe: (error: unknown) => string;
  /** Whether the database can be used, although that error says that it cannot. Never rejects. */
  isWell: (error: unknown) => Promise<boolean>;
  /** From now on what is named so is left out of batches. */
  hold: (row: string, why: string) => Held;
  free: (row: string) => void;
  /** The dead letter that nothing in its content can keep from being stored. */
  minimal: (request: Request) => DeadLetter;
  /** Whether an acknowledgement could still reach the broker; if not, the message comes again. */
  alive: (delivery: Delivery) => boolean;
  /** Waits before another try. */
  pause: (cause: PassingFailure, attempt: number) => Promise<void>;
  trouble: (cause: FailureKind, description: string) => void;
}

/** Rounds in which a failure is believed to be nobody's fault. */
const BELIEVED: Readonly<Record<PassingFailure, number>> = { collision: 6, outage: 3 };
/** After so many collisions a message is set aside even where no other got through to show that it could. */
const LONELY_COLLISIONS = 20;
/** Times that a message must fail alone, one after the other, to be suspected. */
const ALONE = 3;
/** Tries of a refused message that is set aside, before its dead letter is taken to be at fault: some ten seconds. */
const OLD_SUSPECT = 4;
/** Messages in a row that can be kept in no form: then those that are nothing but a dead letter are not tried one by one. */
const MOST_UNKEEPABLE = 8;
/** Suspects in a row without any call stored: then it is the database after all. */
const MOST_SUSPECTS = 8;

/**
 * Persists batches whatever fails in them. A message that fails for a reason of its own is found by dividing its batch, and
 * kept as a dead letter; what says that it is a collision or an outage is believed for some rounds, and then looked at in the
 * same way: where one message fails, again and again, and a call can be stored right after it, then it is this message, or a
 * row of it, and it is set aside with the calls like it. Where no call can be stored, it is an outage, and nobody is blamed.
 */
export class Isolation<Delivery> {
  readonly #ports: IsolationPorts<Delivery>;
  readonly #limits: BatchLimits;
  /** Rounds in a row that failed. */
  #attempt = 0;
  /** Calls stored, and statements that wrote anything. */
  #stored = 0;
  #wrote = 0;

  constructor(ports: IsolationPorts<Delivery>, limits: BatchLimits) {
    this.#ports = ports;
    this.#limits = limits;
  }

  /** Whether the latest round failed: then all that has arrived goes into the next, for some of it may get through. */
  get inTrouble(): boolean {
    return this.#attempt > 0;
  }

  /**
   * One round. Waits where it failed.
   *
   * @returns the outcomes in the order of the batch where all went well, else what each message came to
   */
  async persist(batch: readonly InHand<Delivery>[], persist: Persist): Promise<Outcome[] | Done<Delivery>> {
    const done: Done<Delivery> = new Map();
    const first = batch.slice(0, fitting(batch, this.#limits));
    const isWhole = first.length === batch.length;
    let failure: Failure | undefined;
    try {
      const persisted = await (isWhole ? persist() : this.#prepare(first, 'ordinary')());
      if (isWhole) this.#attempt = 0;
      if (isWhole && persisted.every(isOutcome)) return persisted;
      this.#note(first, persisted, done);
    } catch (error) {
      failure = { error };
    }
    if (done.size === batch.length) return done;
    const isOwn = failure !== undefined && this.#ports.classify(failure.error) === 'message';
    const isBelieved = failure !== undefined && (await this.#believed(failure.error));
    if (!isBelieved) {
      await this.#divide(batch, done, isOwn, isWhole ? failure : undefined);
      if (done.size === 0) await this.#rest('collision');
    }
    // Others may get through beside what is left: they need not wait as long as in an outage.
    if (done.size > 0) this.#attempt = Math.min(this.#attempt, BELIEVED.outage);
    if (done.size === batch.length) this.#attempt = 0;
    return done;
  }

  /**
   * Tries one message that is set aside. Undefined, with the error, where it is still stopped.
   *
   * @param before tries of it that were in vain
   */
  async alone(
    message: InHand<Delivery>,
    before: number,
  ): Promise<{ result: PersistResult | undefined; why: string }> {
    const done: Done<Delivery> = new Map();
    const failure = await this.#attemptAt([message], done, this.#ports.prepare([message.admitted], 'alone'));
    const isParked = failure !== undefined && (await this.#isToBeParked(message, failure.error, before));
    const last = isParked ? await this.#park(message, failure.error, done) : failure;
    const result = done.get(message);
    if (result?.kind === 'unkeepable') return { result: undefined, why: result.why };
    return { result, why: last === undefined ? '' : this.#ports.describe(last.error) };
  }

  /** A refused message leaves nothing but its dead letter: where that fails again and again while others get through, it is kept smaller. */
  async #isToBeParked({ admitted }: InHand<Delivery>, error: unknown, before: number): Promise<boolean> {
    if (this.#ports.classify(error) === 'message') return true;
    const isOld = admitted.verdict.kind === 'answer' && before >= OLD_SUSPECT;
    return isOld && !this.inTrouble && (await this.#ports.isWell(error));
  }

  /** Whether a failure is still taken for what it says; then it has been waited for. */
  async #believed(error: unknown): Promise<boolean> {
    const kind = this.#ports.classify(error);
    if (kind === 'message') return false;
    this.#ports.trouble(kind, this.#ports.describe(error));
    await this.#rest(kind);
    return this.#attempt < BELIEVED[kind] || !(await this.#ports.isWell(error));
  }

  /** After a round in which nothing got through. */
  async #rest(cause: PassingFailure): Promise<void> {
    await this.#ports.pause(cause, this.#attempt);
    this.#attempt += 1;
  }

  /** Persists what can be, keeps what cannot, sets aside what stops others. */
  async #divide(
    batch: readonly InHand<Delivery>[],
    done: Done<Delivery>,
    isOwn: boolean,
    known: Failure | undefined,
  ): Promise<void> {
    const division: Division<Delivery> = { done, suspects: [], manner: isOwn ? 'ordinary' : 'brief' };
    const deadLetters = batch.filter(({ admitted }) => admitted.verdict.kind === 'answer');
    if (isOwn && deadLetters.length > 0 && deadLetters.length < batch.length) {
      // Dead letters may be what is refused: the calls do not wait until each of these is tried.
      const calls = batch.filter(({ admitted }) => admitted.verdict.kind === 'call');
      if (await this.#persistParts(calls, division)) await this.#persistParts(deadLetters, division);
    } else {
      await this.#persistParts(batch, division, known);
    }
    this.#giveUpDeadLetters(deadLetters, division);
    const unwitnessed = new Set(this.#unwitnessed(division.suspects));
    for (const suspect of division.suspects) {
      if (unwitnessed.has(suspect)) this.#acquit(suspect, done);
      else if (!suspect.isSure) await this.#confirm(suspect, done);
    }
  }

  /**
   * Persists part by part, in the order of arrival; what fails by itself is judged. False where it is of no use to go on.
   *
   * @param known how all of it failed
   */
  async #persistParts(
    part: readonly InHand<Delivery>[],
    division: Division<Delivery>,
    known?: Failure,
  ): Promise<boolean> {
    const { done, suspects, manner } = division;
    // What is set aside on another's account is done already.
    const open = part.filter((message) => !done.has(message) && this.#ports.alive(message.delivery));
    const [first] = open;
    if (first === undefined) return true;
    if (fitting(open, this.#limits) === open.length) {
      const failure = known ?? (await this.#attemptAt(open, done, this.#prepare(open, manner)));
      if (failure === undefined) return true;
      if (open.length === 1) {
        const suspect = await this.#judge(first, failure.error, done);
        if (suspect === 'unclear') return false;
        if (suspect !== undefined) suspects.push(suspect);
        return !this.#areDeadLettersRefused(suspects) && this.#unwitnessed(suspects).length < MOST_SUSPECTS;
      }
    }
    const half = Math.ceil(open.length / 2);
    return (
      (await this.#persistParts(open.slice(0, half), division)) &&
      (await this.#persistParts(open.slice(half), division))
    );
  }

  /** What is to be done with a message that failed alone. `unclear`: it could be the database by now. */
  async #judge(
    message: InHand<Delivery>,
    error: unknown,
    done: Done<Delivery>,
  ): Promise<Suspect<Delivery> | 'unclear' | undefined> {
    const latest =
      this.#ports.classify(error) === 'message'
        ? { error }
        : await this.#insist(message, message.admitted, { error }, done);
    if (latest === undefined) return undefined;
    if (this.#ports.classify(latest.error) === 'message') {
      const refused = await this.#park(message, latest.error, done);
      if (refused === undefined) return undefined;
      const isSure = this.#ports.classify(refused.error) === 'message';
      if (!isSure && !(await this.#ports.isWell(refused.error))) return 'unclear';
      done.set(message, { kind: 'unkeepable', why: this.#ports.describe(refused.error) });
      return this.#suspect(message, null, isSure);
    }
    if (!(await this.#ports.isWell(latest.error))) return 'unclear';
    const why = this.#ports.describe(latest.error);
    const { verdict } = message.admitted;
    this.#ports.trouble('message', why);
    const isSure = this.#ports.classify(latest.error) === 'collision' && this.#attempt >= LONELY_COLLISIONS;
    const row = verdict.kind === 'call' ? callsLike(verdict.call.cdr) : null;
    done.set(message, row === null ? { kind: 'held', row, why } : this.#ports.hold(row, why));
    return this.#suspect(message, row, isSure);
  }

  #suspect(message: InHand<Delivery>, row: string | null, isSure: boolean): Suspect<Delivery> {
    const isCall = message.admitted.verdict.kind === 'call' && row !== null;
    return { message, row, isCall, isSure, stored: this.#stored, wrote: this.#wrote };
  }

  /** Whether so many dead letters were refused in every form, and nothing was written meanwhile. */
  #areDeadLettersRefused(suspects: readonly Suspect<Delivery>[]): boolean {
    const refused = suspects.filter(
      ({ isSure, row, wrote }) => isSure && row === null && wrote === this.#wrote,
    );
    return refused.length >= MOST_UNKEEPABLE;
  }

  /** Leaves what is nothing but a dead letter as it is, where the database refuses all dead letters: it is tried again later. */
  #giveUpDeadLetters(deadLetters: readonly InHand<Delivery>[], { done, suspects }: Division<Delivery>): void {
    if (!this.#areDeadLettersRefused(suspects)) return;
    for (const message of deadLetters)
      if (!done.has(message))
        done.set(message, { kind: 'unkeepable', why: 'the database takes no dead letter' });
  }

  /** Suspects after whom nothing got through. */
  #unwitnessed(suspects: readonly Suspect<Delivery>[]): readonly Suspect<Delivery>[] {
    return suspects.filter(
      ({ isCall, isSure, stored, wrote }) =>
        !isSure && (isCall ? stored === this.#stored : wrote === this.#wrote),
    );
  }

  /**
   * Tries a suspect once more now that another call got through: an outage that ended between the two looks the same as a
   * row that is held, and must not have anybody wait.
   */
  async #confirm(suspect: Suspect<Delivery>, done: Done<Delivery>): Promise<void> {
    const { message, row } = suspect;
    if (row === null || !this.#ports.alive(message.delivery)) return;
    const failure = await this.#attemptAt([message], done, this.#prepare([message], 'alone'));
    const result = done.get(message);
    if (failure !== undefined || (result?.kind === 'held' && result.row === row)) return;
    this.#release(row, done);
  }

  #acquit({ message: suspected, row }: Suspect<Delivery>, done: Done<Delivery>): void {
    done.delete(suspected);
    if (row !== null) this.#release(row, done);
  }

  /** The row is nobody's doing: what was held on its account is tried again. */
  #release(row: string, done: Done<Delivery>): void {
    this.#ports.free(row);
    for (const [message, result] of done)
      if (result.kind === 'held' && result.row === row) done.delete(message);
  }

  /**
   * The message that no transaction takes is kept with the error, and in the least form where its own is refused. Returns
   * why not even that could be kept.
   */
  async #park(message: InHand<Delivery>, error: unknown, done: Done<Delivery>): Promise<Failure | undefined> {
    const why = this.#ports.describe(error);
    this.#ports.trouble('message', why);
    const { admitted, request } = message;
    const outcome: Outcome = { kind: 'failed', reason: 'failed', error: why };
    const verdict = { kind: 'answer' as const, outcome, validationOnly: false };
    const own = await this.#insist(message, { ...admitted, verdict }, undefined, done);
    if (own === undefined) return undefined;
    const minimal = () => this.#ports.minimal(request);
    return await this.#insist(message, { ...admitted, verdict, deadLetter: minimal }, undefined, done);
  }

  /** Tries one entry until it has failed often enough that chance is no excuse; at once where it blames itself. */
  async #insist(
    message: InHand<Delivery>,
    entry: Submission,
    before: Failure | undefined,
    done: Done<Delivery>,
  ): Promise<Failure | undefined> {
    let latest = before;
    for (let attempt = before === undefined ? 0 : 1; attempt < ALONE; attempt += 1) {
      if (latest !== undefined) await this.#ports.pause('collision', attempt);
      latest = await this.#attemptAt([message], done, this.#ports.prepare([entry], 'brief'));
      if (latest === undefined || this.#ports.classify(latest.error) === 'message') return latest;
    }
    return latest;
  }

  #prepare(part: readonly InHand<Delivery>[], manner: Manner): Persist {
    return this.#ports.prepare(
      part.map(({ admitted }) => admitted),
      manner,
    );
  }

  async #attemptAt(
    part: readonly InHand<Delivery>[],
    done: Done<Delivery>,
    persist: Persist,
  ): Promise<Failure | undefined> {
    try {
      this.#note(part, await persist(), done);
      return undefined;
    } catch (error) {
      return { error };
    }
  }

  #note(part: readonly InHand<Delivery>[], persisted: readonly PersistResult[], done: Done<Delivery>): void {
    part.forEach((message, index) => {
      const result = persisted[index];
      if (result === undefined) return;
      done.set(message, result);
      if (result.kind === 'held') return;
      const isStored = result.kind === 'accepted';
      if (isStored) this.#stored += 1;
      if (isStored || deadReasonOf(result, false) !== null) this.#wrote += 1;
    });
  }
}

function isOutcome(persisted: PersistResult): persisted is Outcome {
  return persisted.kind !== 'held';
}

interface Failure {
  error: unknown;
}

/** The work on one batch that failed. */
interface Division<Delivery> {
  done: Done<Delivery>;
  suspects: Suspect<Delivery>[];
  manner: Manner;
}

interface Suspect<Delivery> {
  message: InHand<Delivery>;
  /** What is held on its account; null where it is alone in that it can neither be stored nor kept. */
  row: string | null;
  isCall: boolean;
  /** Needs nobody to get through after it. */
  isSure: boolean;
  /** What had got through when it was set aside. */
  stored: number;
  wrote: number;
}
