import type { HeldBy } from '../domain/held.ts';
import { backoffMs } from '../retry.ts';

/** A message in hand that waits for what it needs. */
export interface Waiting<Message> {
  readonly message: Message;
  /** Of its body. */
  readonly bytes: number;
  /** Later messages with it stay behind this one; null where none does. */
  readonly uniqueid: string | null;
  /** Null where only trying the message tells whether it can be persisted. */
  row: string | null;
  why: string;
  /** Monotonic milliseconds. */
  readonly since: number;
  /** Times that it failed alone. */
  failures: number;
  /** It waits as long as it takes, because no dead letter of it can be kept. */
  readonly isEndless: boolean;
  /** It is being tried at the moment. */
  isTried: boolean;
}

export interface WaitingListSettings {
  /** Messages that may wait at once. */
  limit: number;
  /** Bytes of their bodies: waiting messages must not keep everything else from being read. */
  limitBytes: number;
  /** Whether messages that wait endlessly always find room, because no other queue would keep them. */
  holdsEndless: boolean;
  /** Milliseconds that each may wait. */
  waitMs: number;
}

/** Between two tries of calls that wait for the same row. No jitter: they are this worker's own. */
const TRIES = { first: 250, longest: 5000 };
const NO_JITTER = () => 0;

/**
 * The messages whose rows somebody else holds, in the order of their arrival, bounded in number, bytes and time. It
 * decides which may go on, which have waited too long, and which is tried next; it knows neither broker nor database.
 */
export class WaitingList<Message> {
  readonly #settings: WaitingListSettings;
  #waiting: Waiting<Message>[] = [];
  /** By row, or by message where it has none: when one may be tried next, and how many tries have failed. */
  readonly #tries = new Map<string | Waiting<Message>, { next: number; failures: number }>();

  constructor(settings: WaitingListSettings) {
    this.#settings = settings;
  }

  get size(): number {
    return this.#waiting.length;
  }

  /** Whether a message waits for this row. */
  isWaitedFor(row: string): boolean {
    return this.#waiting.some((waiting) => waiting.row === row);
  }

  /** The message that another one with this uniqueid has to stay behind. */
  behind(uniqueid: string | null): Waiting<Message> | undefined {
    if (uniqueid === null || this.#waiting.length === 0) return undefined;
    return this.#waiting.find((waiting) => waiting.uniqueid === uniqueid);
  }

  /** False where there is no room. */
  add(waiting: Waiting<Message>): boolean {
    const isNeeded = waiting.isEndless && this.#settings.holdsEndless;
    if (!isNeeded && !this.#hasRoomFor(waiting)) return false;
    this.#waiting.push(waiting);
    return true;
  }

  #hasRoomFor({ bytes }: Waiting<Message>): boolean {
    const { limit, limitBytes } = this.#settings;
    const held = this.#waiting.reduce((sum, one) => sum + one.bytes, 0);
    return this.#waiting.length < limit && held + bytes <= limitBytes;
  }

  remove(waiting: Waiting<Message>): void {
    this.#waiting = this.#waiting.filter((one) => one !== waiting);
    this.#tries.delete(waiting);
    if (waiting.row !== null && !this.#waiting.some(({ row }) => row === waiting.row))
      this.#tries.delete(waiting.row);
  }

  /** Forgets the messages that can no longer be acknowledged. */
  keepOnly(isLive: (message: Message) => boolean): void {
    for (const waiting of this.#waiting) if (!isLive(waiting.message)) this.remove(waiting);
  }

  /** Takes out the messages whose rows are free; never one before an older one with its uniqueid. */
  takeFree(isHeld: HeldBy): Waiting<Message>[] {
    const stuck = new Set<string>();
    return this.#take((waiting) => {
      const { row, uniqueid, isTried } = waiting;
      const isBehind = uniqueid !== null && stuck.has(uniqueid);
      const isStuck = isTried || row === null || isHeld(row) !== undefined || isBehind;
      if (isStuck && uniqueid !== null) stuck.add(uniqueid);
      return !isStuck;
    });
  }

  /** Takes out the messages that wait because their dead letters were refused: one of them got through. */
  takeEndless(): Waiting<Message>[] {
    return this.#take(({ isEndless, isTried }) => isEndless && !isTried);
  }

  takeOverdue(now: number): Waiting<Message>[] {
    const { waitMs } = this.#settings;
    return this.#take(({ since, isEndless, isTried }) => !isEndless && !isTried && now - since >= waitMs);
  }

  /** The message to try next, among those that only a try can free: of each row the one that was tried least. */
  next(now: number, isTriable: (row: string) => boolean): Waiting<Message> | undefined {
    const uniqueids = new Set<string>();
    let best: Waiting<Message> | undefined;
    for (const waiting of this.#waiting) {
      const { row, uniqueid, failures } = waiting;
      const isSecond = uniqueid !== null && uniqueids.has(uniqueid);
      if (uniqueid !== null) uniqueids.add(uniqueid);
      const isDue = now >= (this.#tries.get(row ?? waiting)?.next ?? 0);
      if (isSecond || !isDue || !(row === null || isTriable(row))) continue;
      if (best === undefined || failures < best.failures) best = waiting;
    }
    return best;
  }

  /** A try failed. */
  failed(waiting: Waiting<Message>, why: string, now: number): void {
    const key = waiting.row ?? waiting;
    const failures = (this.#tries.get(key)?.failures ?? 0) + 1;
    this.#tries.set(key, { failures, next: now + backoffMs(failures, TRIES, NO_JITTER) });
    waiting.failures += 1;
    waiting.why = why;
  }

  /** The messages that failed alone although another of the same row gets through: the fault is their own. */
  guiltyOf(row: string | null): Waiting<Message>[] {
    if (row === null) return [];
    return this.#waiting.filter((waiting) => waiting.row === row && waiting.failures > 0);
  }

  #take(isTaken: (waiting: Waiting<Message>) => boolean): Waiting<Message>[] {
    const taken = this.#waiting.filter(isTaken);
    for (const waiting of taken) this.remove(waiting);
    return taken;
  }
}
