import { type AckLedger, createAckLedger, GATHER_MS } from '../../src/broker/ack-ledger.ts';
import type { FakeChannel, FakeQueue, Message } from './fake-queue.ts';
import type { SimDelivery, Surroundings } from './surroundings.ts';

/**
 * The consuming side of a process, with the real ack ledger. Both ends notice a lost channel at
 * times of their own; acknowledgements travel in order and are lost with their channel.
 */
export class FakeConsumer {
  readonly #world: Surroundings;
  readonly #queue: FakeQueue;
  readonly #name: string;
  readonly #prefetch: number;
  readonly #onDelivery: (delivery: SimDelivery) => void;
  #channel: FakeChannel | null = null;
  #ledger: AckLedger = createAckLedger(0);
  #epoch = 0;
  /** When the last frame sent arrives. */
  #arrival = 0;
  #wanted = true;
  #isFlushingLater = false;

  constructor(
    world: Surroundings,
    queue: FakeQueue,
    name: string,
    prefetch: number,
    onDelivery: (delivery: SimDelivery) => void,
  ) {
    this.#world = world;
    this.#queue = queue;
    this.#name = name;
    this.#prefetch = prefetch;
    this.#onDelivery = onDelivery;
  }

  get inFlight(): number {
    return this.#channel === null ? 0 : this.#ledger.inFlight;
  }

  subscribe(): void {
    if (!this.#wanted || this.#channel !== null) return;
    this.#epoch += 1;
    this.#ledger = createAckLedger(this.#prefetch / 2, () => this.#world.scheduler.now);
    const epoch = this.#epoch;
    this.#channel = this.#queue.open(this.#prefetch, (message, tag) => this.#take(message, epoch, tag));
  }

  isLive(delivery: SimDelivery): boolean {
    return this.#channel !== null && delivery.epoch === this.#epoch;
  }

  done(delivery: SimDelivery): void {
    if (this.isLive(delivery)) this.#ledger.done(delivery.tag);
  }

  /** @param everything also those that would otherwise wait. */
  flush(everything = false): void {
    const channel = this.#channel;
    if (channel === null) return;
    for (const { tag, multiple } of this.#ledger.flush(everything)) {
      this.#send(`acknowledgement of ${tag}${multiple ? ' and older' : ''}`, () =>
        this.#queue.ack(channel, tag, multiple),
      );
    }
    if (this.#ledger.waiting === 0 || this.#isFlushingLater) return;
    this.#isFlushingLater = true;
    this.#world.scheduler.after(GATHER_MS, `${this.#name} acknowledges what waited`, () => {
      this.#isFlushingLater = false;
      this.flush();
    });
  }

  /** Takes no more. */
  stop(): void {
    this.#wanted = false;
    if (this.#channel !== null) this.#channel.prefetch = 0;
  }

  /** The process ends: what it has sent still arrives, if nothing goes wrong with it. */
  end(): void {
    this.#wanted = false;
    this.#leave();
  }

  /** The connection breaks; this side notices at once, or goes on for a while in vain. */
  disconnect(): void {
    const channel = this.#channel;
    if (channel === null) return;
    const { scheduler, random } = this.#world;
    scheduler.after(random.next() * 30, `broker misses ${this.#name}`, () => this.#queue.close(channel));
    scheduler.after(random.next() * 60, `${this.#name} misses the broker`, () => {
      if (this.#channel !== channel) return;
      this.#channel = null;
      this.#subscribeLater();
    });
  }

  /** Gives everything back and consumes again as soon as `isOver`. */
  returnUntil(isOver: () => boolean): void {
    if (this.#channel === null) return;
    this.flush(true);
    this.#leave();
    const wait = () => {
      if (isOver()) this.subscribe();
      else this.#world.scheduler.after(200, `${this.#name} waits for the database`, wait);
    };
    wait();
  }

  #subscribeLater(): void {
    const { scheduler, random } = this.#world;
    scheduler.after(random.next() * 50, `${this.#name} subscribes`, () => this.subscribe());
  }

  #leave(): void {
    const channel = this.#channel;
    this.#channel = null;
    if (channel !== null) this.#send('farewell', () => this.#queue.close(channel));
  }

  #take(message: Message, epoch: number, tag: number): void {
    if (epoch !== this.#epoch || this.#channel === null) return;
    this.#world.scheduler.note(`${this.#name} takes ${message.id} as ${epoch}:${tag}`);
    this.#ledger.delivered(tag, message.request.bytes);
    this.#onDelivery({ ...message.request, id: message.id, failures: message.failures, epoch, tag });
  }

  /** Frames arrive in the order they were sent in; with one that is lost, the connection is. */
  #send(what: string, arrive: () => void): void {
    const { scheduler, random, faults } = this.#world;
    this.#arrival = Math.max(this.#arrival, scheduler.now + random.next() * 10);
    const channel = this.#channel;
    const isLost = channel !== null && faults.strikes('ack lost');
    scheduler.after(this.#arrival - scheduler.now, `${this.#name}: ${what} arrives`, () => {
      if (isLost) this.#queue.close(channel);
      else arrive();
    });
    if (isLost) this.disconnect();
  }
}
