import { messagesLike } from '../domain/held.ts';
import type { Outcome } from '../domain/outcome.ts';
import { asDecided } from '../domain/submission.ts';
import type { Message } from './batch.ts';
import type { Isolation } from './isolation.ts';
import type { Ports } from './ports.ts';
import type { Request } from './request.ts';
import { type Waiting, WaitingList, type WaitingListSettings } from './waiting-list.ts';

type WaitingPorts<Delivery> = Pick<
  Ports<Delivery>,
  'rows' | 'look' | 'now' | 'isLive' | 'setAside' | 'observe'
>;

/** What the pipeline does with messages that wait no longer. */
export interface AfterWaiting<Delivery extends Request> {
  /** Persists messages before everything that came later. */
  putFirst: (messages: readonly Message<Delivery>[]) => void;
  /** Answers a message that was persisted beside the batches. */
  answer: (message: Message<Delivery>, outcome: Outcome) => void;
  fail: (error: unknown) => void;
}

/** The messages in hand that wait for what somebody else holds, and what is done with them meanwhile. */
export class WaitingMessages<Delivery extends Request> {
  readonly #ports: WaitingPorts<Delivery>;
  readonly #isolation: Isolation<Delivery>;
  readonly #waitingList: WaitingList<Message<Delivery>>;
  readonly #after: AfterWaiting<Delivery>;
  #watching: Promise<void> | undefined;
  #trying: Promise<void> | undefined;

  constructor(
    ports: WaitingPorts<Delivery>,
    isolation: Isolation<Delivery>,
    settings: WaitingListSettings,
    after: AfterWaiting<Delivery>,
  ) {
    this.#ports = ports;
    this.#isolation = isolation;
    this.#waitingList = new WaitingList(settings);
    this.#after = after;
  }

  get size(): number {
    return this.#waitingList.size;
  }

  /** Whether one of them waits for this row. */
  isWaitedFor(row: string): boolean {
    return this.#waitingList.isWaitedFor(row);
  }

  /** One of them that is being persisted at the moment. */
  get trying(): Promise<void> | undefined {
    return this.#trying;
  }

  /**
   * Has a message wait if an older one with its uniqueid does; false if it need not. Where too many wait already, it
   * becomes one that is only kept, and goes on.
   */
  addBehindOlder(message: Message<Delivery>): boolean {
    const { kind, uniqueid } = message.submission;
    const older = kind === 'decided' ? undefined : this.#waitingList.behind(uniqueid);
    if (older === undefined) return false;
    const [kept] = this.add(message, older.row, older.why);
    if (kept !== undefined) message.submission = kept.submission;
    return kept === undefined;
  }

  /**
   * Has a message wait. Where too many do already, returns it as one that is only kept as a dead letter; one that cannot
   * be kept either is sent to cdrs.dead.
   *
   * @param row null where it waits for nothing but itself
   * @param isEndless it waits as long as it takes, because no dead letter of it can be kept
   */
  add(message: Message<Delivery>, row: string | null, why: string, isEndless = false): Message<Delivery>[] {
    const { kind, uniqueid } = message.submission;
    const waiting: Waiting<Message<Delivery>> = {
      message,
      bytes: message.delivery.body.length,
      uniqueid: kind === 'decided' ? null : uniqueid,
      row,
      why,
      since: this.#ports.now(),
      failures: 0,
      isEndless,
      isTried: false,
    };
    if (!this.#waitingList.add(waiting)) {
      if (!isEndless) return [onlyKept(waiting, 'too many calls are waiting')];
      this.#ports.setAside(message.delivery);
      return [];
    }
    this.#watching ??= this.#watch()
      .catch(this.#after.fail)
      .finally(() => {
        this.#watching = undefined;
      });
    return [];
  }

  /** As long as messages wait: lets those go whose rows are free, keeps those that waited too long, tries others. */
  async #watch(): Promise<void> {
    while (this.#waitingList.size > 0) {
      this.#tellSize();
      await this.#ports.look();
      this.#waitingList.keepOnly(({ delivery }) => this.#ports.isLive(delivery));
      const { isHeld } = this.#ports.rows;
      const free = this.#waitingList.takeFree(isHeld).map(({ message }) => message);
      const now = this.#ports.now();
      const overdue = this.#waitingList
        .takeOverdue(now)
        .map((waiting) => onlyKept(waiting, 'exceeded ROW_WAIT_MS'));
      this.#after.putFirst([...free, ...overdue]);
      const next = this.#waitingList.next(now, (row) => this.#ports.rows.isRefused(row));
      if (next === undefined || this.#trying !== undefined) continue;
      this.#trying = this.#try(next)
        .catch(this.#after.fail)
        .finally(() => {
          this.#trying = undefined;
        });
    }
    this.#tellSize();
  }

  #tellSize(): void {
    this.#ports.observe({ kind: 'waiting', messages: this.#waitingList.size });
  }

  /** Tries a message beside the batches, to see whether what it waits for is still refused. */
  async #try(waiting: Waiting<Message<Delivery>>): Promise<void> {
    const { message, row } = waiting;
    waiting.isTried = true;
    const { result, why } = await this.#isolation.alone(message, waiting.failures);
    waiting.isTried = false;
    if (result === undefined || result.kind === 'held') {
      this.#waitingList.failed(waiting, result?.why ?? why, this.#ports.now());
      return;
    }
    this.#waitingList.remove(waiting);
    if (row !== null) this.#ports.rows.free(row);
    // What failed where another got through fails for a reason of its own.
    if (result.kind !== 'failed') for (const guilty of this.#waitingList.guiltyOf(row)) guilty.row = null;
    if (waiting.isEndless)
      this.#after.putFirst(this.#waitingList.takeEndless().map((endless) => endless.message));
    this.#after.answer(message, result);
  }
}

/** A message that waits no longer, as one that is only kept as a dead letter. */
function onlyKept<Delivery extends Request>(
  { message, row, why }: Waiting<Message<Delivery>>,
  because: string,
): Message<Delivery> {
  const error = `${row === null ? why : `${row}: ${why}`}; ${because}`;
  const { submission } = message;
  // A call that waited for nothing but itself at last may have been stopped by a row all the same.
  const waitsFor = row ?? messagesLike(submission);
  const failed: Outcome = { kind: 'failed', reason: 'failed', error };
  const outcome = waitsFor === null ? failed : { ...failed, waitsFor };
  return { ...message, submission: asDecided(outcome, submission) };
}
