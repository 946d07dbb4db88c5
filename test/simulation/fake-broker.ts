import type { Reply, Request } from '../../src/broker/envelope.ts';
import type { Random } from './random.ts';
import type { Scheduler } from './scheduler.ts';

/** A message in the input queue. */
export interface Message {
  id: string;
  request: Request;
  /** Deliveries that came to nothing. */
  failures: number;
}

/** One consumer's channel as the broker sees it. */
export class FakeChannel {
  readonly unacked = new Map<number, Message>();
  readonly deliver: (message: Message, tag: number) => void;
  prefetch: number;
  open = true;
  #tag = 0;

  constructor(prefetch: number, deliver: (message: Message, tag: number) => void) {
    this.prefetch = prefetch;
    this.deliver = deliver;
  }

  get hasRoom(): boolean {
    return this.open && this.unacked.size < this.prefetch;
  }

  send(message: Message): void {
    this.#tag += 1;
    this.unacked.set(this.#tag, message);
    this.deliver(message, this.#tag);
  }
}

/** Whoever watches what the broker does. */
export interface BrokerWatcher {
  replied: (id: string, code: string) => void;
  unreceivable: (id: string) => void;
  acknowledged: (id: string) => void;
  violate: (what: string) => void;
}

/** Nobody listens there. */
export const GONE_QUEUE = 'cdrs.reply.gone';
/** A publish to it makes the broker close the connection. */
export const MALFORMED_DIRECT = 'amq.rabbitmq.reply-to.malformed';

/** The input queue with its channels, the queue of what was delivered too often, and where replies go. */
export class FakeBroker {
  readonly dead: Message[] = [];
  /** An alarm: publishes stall. */
  blocked = false;
  /** Whether the results exchange has a queue. */
  resultsBound = true;
  readonly #channels: FakeChannel[] = [];
  readonly #scheduler: Scheduler;
  readonly #random: Random;
  readonly #deliveryLimit: number;
  readonly #watcher: BrokerWatcher;
  #ready: Message[] = [];
  #pumping = false;

  constructor(scheduler: Scheduler, random: Random, deliveryLimit: number, watcher: BrokerWatcher) {
    this.#scheduler = scheduler;
    this.#random = random;
    this.#deliveryLimit = deliveryLimit;
    this.#watcher = watcher;
  }

  /** Messages that are neither acknowledged nor dead-lettered. */
  get left(): string[] {
    return [...this.#ready, ...this.#channels.flatMap(({ unacked }) => [...unacked.values()])].map(
      ({ id }) => id,
    );
  }

  publish(id: string, request: Request): void {
    this.#ready.push({ id, request, failures: 0 });
    this.#pump();
  }

  open(prefetch: number, deliver: (message: Message, tag: number) => void): FakeChannel {
    const channel = new FakeChannel(prefetch, deliver);
    this.#channels.push(channel);
    this.#pump();
    return channel;
  }

  ack(channel: FakeChannel, tag: number, multiple: boolean): void {
    if (!channel.open) return;
    const tags = multiple ? [...channel.unacked.keys()].filter((one) => one <= tag) : [tag];
    if (!channel.unacked.has(tag)) this.#watcher.violate(`acknowledged the unknown delivery tag ${tag}`);
    for (const one of tags) {
      const message = channel.unacked.get(one);
      channel.unacked.delete(one);
      if (message !== undefined) this.#watcher.acknowledged(message.id);
    }
    this.#pump();
  }

  /** Everything unacknowledged goes back to the head of the queue, or to the dead. */
  close(channel: FakeChannel): void {
    if (!channel.open) return;
    channel.open = false;
    this.#channels.splice(this.#channels.indexOf(channel), 1);
    const back = [...channel.unacked.values()];
    channel.unacked.clear();
    for (const message of back) message.failures += 1;
    this.dead.push(...back.filter(({ failures }) => failures > this.#deliveryLimit));
    this.#ready.unshift(...back.filter(({ failures }) => failures <= this.#deliveryLimit));
    this.#pump();
  }

  /** Where a reply ends up. */
  route({ exchange, routingKey, correlationId, body }: Reply): 'routed' | 'unroutable' | 'closed' {
    if (exchange === '' && routingKey === MALFORMED_DIRECT) return 'closed';
    if (exchange === '' && routingKey === GONE_QUEUE) return 'unroutable';
    if (exchange !== '' && !this.resultsBound) {
      this.#watcher.unreceivable(correlationId);
      return 'unroutable';
    }
    const { responses } = JSON.parse(body.toString()) as { responses: { code: string }[] };
    this.#watcher.replied(correlationId, [...new Set(responses.map(({ code }) => code))].join());
    return 'routed';
  }

  /** Some of what is ready goes to whoever has room, in one burst. */
  #pump(): void {
    if (this.#pumping) return;
    this.#pumping = true;
    this.#scheduler.after(this.#random.next() * 4, 'broker delivers', () => {
      this.#pumping = false;
      for (let burst = this.#random.between(1, 8); burst > 0; burst -= 1) {
        const [first, ...others] = this.#channels.filter(({ hasRoom }) => hasRoom);
        const message = first === undefined ? undefined : this.#ready.shift();
        if (first === undefined || message === undefined) return;
        this.#random.pick([first, ...others]).send(message);
      }
      this.#pump();
    });
  }
}
