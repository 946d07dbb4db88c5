import { callsLike, type HeldBy } from '../domain/held.ts';
import type { Outcome } from '../domain/outcome.ts';
import type { InHand, Isolation } from './isolation.ts';
import { type Waiting, WaitingList, type WaitingListSettings } from './waiting-list.ts';

export interface WaitingPorts<Delivery> {
  /** What is held at the moment, and whether only one of the calls that wait for it can tell that it is free. */
  isHeld: HeldBy;
  isRefused: (row: string) => boolean;
  free: (row: string) => void;
  /** Waits a moment, and looks whether what is held still is. Never rejects. */
  look: () => Promise<void>;
  /** Monotonic milliseconds. */
  now: () => number;
  alive: (delivery: Delivery) => boolean;
  /** Sends a delivery out of hand, to where it is persisted later. */
  setAside: (delivery: Delivery) => void;
  /** Has messages persisted, before everything that came later. */
  goOn: (messages: readonly InHand<Delivery>[]) => void;
  /** Answers what was persisted beside the batches. */
  answer: (message: InHand<Delivery>, outcome: Outcome) => Promise<void>;
  /** Tells how many wait. */
  changed: (messages: number) => void;
  failed: (error: unknown) => void;
}

/** The messages in hand that wait for what somebody else holds, and what is done with them meanwhile. */
export class WaitingMessages<Delivery> {
  readonly #ports: WaitingPorts<Delivery>;
  readonly #isolation: Isolation<Delivery>;
  readonly #waitingList: WaitingList<InHand<Delivery>>;
  #watching: Promise<void> | undefined;
  #trying: Promise<void> | undefined;

  constructor(ports: WaitingPorts<Delivery>, isolation: Isolation<Delivery>, settings: WaitingListSettings) {
    this.#ports = ports;
    this.#isolation = isolation;
    this.#waitingList = new WaitingList(settings);
  }

  get size(): number {
    return this.#waitingList.size;
  }

  /** One of them that is being persisted at the moment. */
  get trying(): Promise<void> | undefined {
    return this.#trying;
  }

  /** Whether an older message with its uniqueid waits: then it does too, or is kept where too many do. */
  staysBehind(message: InHand<Delivery>): boolean {
    const { verdict, uniqueid } = message.admitted;
    const before = verdict.kind === 'call' ? this.#waitingList.behind(uniqueid) : undefined;
    if (before === undefined) return false;
    const [kept] = this.add(message, before.row, before.why);
    if (kept !== undefined) message.admitted = kept.admitted;
    return kept === undefined;
  }

  /**
   * Has a message wait. Where too many do already, gives it back as one that is kept as a dead letter; what can be kept
   * in no form goes to the broker's own queue for such.
   */
  add(message: InHand<Delivery>, row: string | null, why: string, isEndless = false): InHand<Delivery>[] {
    const { verdict, uniqueid } = message.admitted;
    const waiting: Waiting<InHand<Delivery>> = {
      message,
      bytes: message.request.body.length,
      uniqueid: verdict.kind === 'call' ? uniqueid : null,
      row,
      why,
      since: this.#ports.now(),
      failures: 0,
      isEndless,
      isTried: false,
    };
    if (!this.#waitingList.add(waiting)) {
      if (!isEndless) return [kept(waiting, 'too many calls wait')];
      this.#ports.setAside(message.delivery);
      return [];
    }
    this.#watching ??= this.#watch()
      .catch((error) => this.#ports.failed(error))
      .finally(() => {
        this.#watching = undefined;
      });
    return [];
  }

  /** As long as messages wait: lets those go whose rows are free, keeps those that waited too long, tries others. */
  async #watch(): Promise<void> {
    while (this.#waitingList.size > 0) {
      this.#ports.changed(this.#waitingList.size);
      await this.#ports.look();
      this.#waitingList.keepOnly(({ delivery }) => this.#ports.alive(delivery));
      const free = this.#waitingList.takeFree(this.#ports.isHeld).map(({ message }) => message);
      const now = this.#ports.now();
      const overdue = this.#waitingList
        .takeOverdue(now)
        .map((waiting) => kept(waiting, 'waited as long as a call may'));
      this.#ports.goOn([...free, ...overdue]);
      const next = this.#waitingList.next(now, this.#ports.isRefused);
      if (next === undefined || this.#trying !== undefined) continue;
      this.#trying = this.#try(next)
        .catch((error) => this.#ports.failed(error))
        .finally(() => {
          this.#trying = undefined;
        });
    }
    this.#ports.changed(0);
  }

  /** Tries a message beside the batches, to see whether what it waits for is still refused. */
  async #try(waiting: Waiting<InHand<Delivery>>): Promise<void> {
    const { message, row } = waiting;
    waiting.isTried = true;
    const { result, why } = await this.#isolation.alone(message, waiting.failures);
    waiting.isTried = false;
    if (result === undefined || result.kind === 'held') {
      this.#waitingList.failed(waiting, result?.why ?? why, this.#ports.now());
      return;
    }
    this.#waitingList.remove(waiting);
    if (row !== null) this.#ports.free(row);
    // What failed where another got through fails for a reason of its own.
    if (result.kind !== 'failed') for (const guilty of this.#waitingList.guiltyOf(row)) guilty.row = null;
    if (waiting.isEndless) this.#ports.goOn(this.#waitingList.takeEndless().map((one) => one.message));
    await this.#ports.answer(message, result);
  }
}

/** A message that waits no longer, as one that is only kept. */
function kept<Delivery>({ message, row, why }: Waiting<InHand<Delivery>>, because: string): InHand<Delivery> {
  const error = `${row === null ? why : `${row}: ${why}`}; ${because}`;
  const { verdict } = message.admitted;
  // A call that waited for nothing but itself at last may have been stopped by a row all the same.
  const waitsFor = row ?? (verdict.kind === 'call' ? callsLike(verdict.call.cdr) : null);
  const outcome: Outcome = {
    kind: 'failed',
    reason: 'failed',
    error,
    ...(waitsFor !== null && { waitsFor }),
  };
  return {
    ...message,
    admitted: { ...message.admitted, verdict: { kind: 'answer', outcome, validationOnly: false } },
  };
}
