import { type Manner, messagesLike } from '../domain/held.ts';
import { classifyFailure, describeFailure, troubleCause } from '../store/failures.ts';
import { type BatchLimits, countFitting, type Message, type Results } from './batch.ts';
import type { Request } from './request.ts';
import type { Failure, Tries, TryPorts } from './tries.ts';

/** After so many rounds of collisions a message waits even if no other message got through as proof. */
const LONELY_COLLISIONS = 20;
/** Messages in a row that can be kept in no form: then decided ones are no longer tried one by one. */
const MOST_UNKEEPABLE = 8;
/** Suspects in a row without any call stored: then it is the database after all. */
const MOST_SUSPECTS = 8;

/** Whether the rest of the batch is worth a try: not if it could be the database by now that fails. */
type Next = 'go on' | 'stop';

/**
 * A message that failed alone, or similar calls.
 *
 * - Sure: its error leaves no doubt, or it has collided for too long. It waits.
 * - Witnessed: another got through after it. It is tried once more, and waits if that fails while the database answers.
 * - Unwitnessed: none did, so it may be an outage. It is tried again with the next batch, as if it had not failed.
 */
interface Suspect<Delivery extends Request> {
  message: Message<Delivery>;
  /** The row put on the held list because of it; null if the message can be neither stored nor kept. */
  row: string | null;
  isCall: boolean;
  isSure: boolean;
  /** What had got through by then. */
  stored: number;
  wrote: number;
}

export interface DivisionState<Delivery extends Request> {
  /** What the messages of the batch have come to; added to. */
  results: Results<Delivery>;
  /** `brief` where the cause may be a row that makes statements slow; `ordinary` where a message failed by itself. */
  manner: Extract<Manner, 'ordinary' | 'brief'>;
  /** Rounds in a row that have failed by now. */
  failedRounds: number;
}

/** The search through one batch for what stops it: persists what can be, keeps what cannot, and has suspects wait. */
export class Division<Delivery extends Request> {
  readonly #ports: TryPorts<Delivery>;
  readonly #tries: Tries<Delivery>;
  readonly #limits: BatchLimits;
  readonly #state: DivisionState<Delivery>;
  readonly #suspects: Suspect<Delivery>[] = [];

  constructor(
    ports: TryPorts<Delivery>,
    tries: Tries<Delivery>,
    limits: BatchLimits,
    state: DivisionState<Delivery>,
  ) {
    this.#ports = ports;
    this.#tries = tries;
    this.#limits = limits;
    this.#state = state;
  }

  /** @param before how the whole batch failed, where it was tried at once */
  async persist(batch: readonly Message<Delivery>[], before: Failure | undefined): Promise<void> {
    const { manner } = this.#state;
    const decided = batch.filter(({ submission }) => submission.kind === 'decided');
    if (manner === 'ordinary' && decided.length > 0 && decided.length < batch.length) {
      // Dead letters may be what is refused: the calls do not wait until each of them is tried.
      const calls = batch.filter(({ submission }) => submission.kind !== 'decided');
      if ((await this.#persistParts(calls)) === 'go on') await this.#persistParts(decided);
    } else await this.#persistParts(batch, before);
    if (this.#areDeadLettersRefused()) this.#leaveForLater(decided);
    const unwitnessed = new Set(this.#unwitnessed());
    for (const suspect of this.#suspects) {
      if (unwitnessed.has(suspect)) this.#clear(suspect);
      else if (!suspect.isSure) await this.#confirm(suspect);
    }
  }

  /**
   * Persists part by part, in the order of arrival; what fails by itself is judged.
   *
   * @param before how all of it failed
   */
  async #persistParts(part: readonly Message<Delivery>[], before?: Failure): Promise<Next> {
    const { results, manner } = this.#state;
    // What waits on another's account has its result already.
    const open = part.filter((message) => !results.has(message) && this.#ports.isLive(message.delivery));
    const [first] = open;
    if (first === undefined) return 'go on';
    if (countFitting(open, this.#limits) === open.length) {
      const failure = before ?? (await this.#tries.together(open, manner, results));
      if (failure === undefined) return 'go on';
      if (open.length === 1) return await this.#judge(first, failure);
    }
    const half = Math.ceil(open.length / 2);
    const next = await this.#persistParts(open.slice(0, half));
    return next === 'go on' ? await this.#persistParts(open.slice(half)) : next;
  }

  /** Stores a message that failed alone after all, keeps it, or has it wait together with similar calls. */
  async #judge(message: Message<Delivery>, failure: Failure): Promise<Next> {
    const { results } = this.#state;
    const latest =
      classifyFailure(failure.error) === 'message'
        ? failure
        : await this.#tries.insist(message, message.submission, failure, results);
    if (latest === undefined) return this.#next();
    if (classifyFailure(latest.error) === 'message') return await this.#keep(message, latest);
    if (!(await this.#ports.isWell(latest.error))) return 'stop';
    const why = describeFailure(latest.error);
    const { submission } = message;
    const row = messagesLike(submission);
    const cause = troubleCause(latest.error) === 'lock' ? 'lock' : 'message';
    if (row !== null) this.#ports.rows.refuse(row, why);
    results.set(message, { kind: 'held', cause, row, why });
    const isCollision = classifyFailure(latest.error) === 'collision';
    this.#suspect(message, row, isCollision && this.#state.failedRounds >= LONELY_COLLISIONS);
    return this.#next();
  }

  /** Keeps a message that failed by its own fault as a dead letter; it stays in hand where even that is refused. */
  async #keep(message: Message<Delivery>, failure: Failure): Promise<Next> {
    const { results } = this.#state;
    const refused = await this.#tries.park(message, failure.error, results);
    if (refused === undefined) return this.#next();
    const isSure = classifyFailure(refused.error) === 'message';
    if (!isSure && !(await this.#ports.isWell(refused.error))) return 'stop';
    results.set(message, { kind: 'unkeepable', why: describeFailure(refused.error) });
    this.#suspect(message, null, isSure);
    return this.#next();
  }

  #suspect(message: Message<Delivery>, row: string | null, isSure: boolean): void {
    const { stored, wrote } = this.#tries;
    const isCall = message.submission.kind !== 'decided' && row !== null;
    this.#suspects.push({ message, row, isCall, isSure, stored, wrote });
  }

  #next(): Next {
    const isInVain = this.#areDeadLettersRefused() || this.#unwitnessed().length >= MOST_SUSPECTS;
    return isInVain ? 'stop' : 'go on';
  }

  /** Whether so many dead letters were refused in every form, and nothing was written meanwhile. */
  #areDeadLettersRefused(): boolean {
    const refused = this.#suspects.filter(
      ({ isSure, row, wrote }) => isSure && row === null && wrote === this.#tries.wrote,
    );
    return refused.length >= MOST_UNKEEPABLE;
  }

  /** Where the database refuses all dead letters, messages that are nothing else stay as they are and are tried later. */
  #leaveForLater(decided: readonly Message<Delivery>[]): void {
    const { results } = this.#state;
    for (const message of decided)
      if (!results.has(message))
        results.set(message, { kind: 'unkeepable', why: 'the database takes no dead letter' });
  }

  /** Suspects after which nothing got through. */
  #unwitnessed(): readonly Suspect<Delivery>[] {
    const now = this.#tries;
    return this.#suspects.filter(
      ({ isCall, isSure, stored, wrote }) =>
        !isSure && (isCall ? stored === now.stored : wrote === now.wrote),
    );
  }

  /**
   * Tries a suspect once more now that another call got through: an outage that ended between the two looks the same as a
   * row that is held, and must not have any call wait.
   */
  async #confirm(suspect: Suspect<Delivery>): Promise<void> {
    const { message, row } = suspect;
    if (row === null || !this.#ports.isLive(message.delivery)) return;
    const { results } = this.#state;
    const failure = await this.#tries.together([message], 'alone', results);
    if (failure !== undefined) {
      if (!(await this.#ports.isWell(failure.error))) this.#clear(suspect);
      return;
    }
    const result = results.get(message);
    if (result?.kind !== 'held' || result.row !== row) this.#release(row);
  }

  /** It may have been an outage: the message and whatever waits because of it are tried again. */
  #clear({ message, row }: Suspect<Delivery>): void {
    this.#state.results.delete(message);
    this.#release(row);
  }

  /** Nothing is wrong with the row: what was held on its account is tried again. */
  #release(row: string | null): void {
    if (row === null) return;
    const { results } = this.#state;
    this.#ports.rows.free(row);
    for (const [message, result] of results)
      if (result.kind === 'held' && result.row === row) results.delete(message);
  }
}
