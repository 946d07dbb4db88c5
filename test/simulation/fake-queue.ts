import type { Request } from '../../src/worker/request.ts';
import type { Random } from './random.ts';
import type { Scheduler } from './scheduler.ts';

/** A message in a queue. */
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

/** A queue with its channels: redelivers what is not acknowledged, and dead-letters what fails too often. */
export class FakeQueue {
  readonly #channels: FakeChannel[] = [];
  readonly #scheduler: Scheduler;
  readonly #random: Random;
  readonly #acknowledged: (id: string) => void;
  readonly #returned: (id: string) => void;
  readonly #violate: (what: string) => void;
  /** Takes what failed more often than the delivery limit. */
  readonly #deadLetter: (message: Message) => boolean;
  #ready: Message[] = [];
  #pumping = false;

  constructor(
    { scheduler, random }: { scheduler: Scheduler; random: Random },
    watcher: {
      acknowledged: (id: string) => void;
      returned: (id: string) => void;
      violate: (what: string) => void;
    },
    deadLetter: (message: Message) => boolean,
  ) {
    this.#scheduler = scheduler;
    this.#random = random;
    this.#acknowledged = (id) => watcher.acknowledged(id);
    this.#returned = (id) => watcher.returned(id);
    this.#violate = (what) => watcher.violate(what);
    this.#deadLetter = deadLetter;
  }

  /** Messages that are not acknowledged. */
  get left(): string[] {
    const unacked = this.#channels.flatMap((channel) => [...channel.unacked.values()]);
    return [...this.#ready, ...unacked].map(({ id }) => id);
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
    if (!channel.unacked.has(tag)) this.#violate(`acknowledged the unknown delivery tag ${tag}`);
    for (const one of tags) {
      const message = channel.unacked.get(one);
      channel.unacked.delete(one);
      if (message !== undefined) this.#acknowledged(message.id);
    }
    this.#pump();
  }

  /** Everything unacknowledged goes back to the head of the queue, or is dead-lettered. */
  close(channel: FakeChannel): void {
    if (!channel.open) return;
    channel.open = false;
    this.#channels.splice(this.#channels.indexOf(channel), 1);
    const back = [...channel.unacked.values()];
    channel.unacked.clear();
    for (const message of back) {
      message.failures += 1;
      this.#returned(message.id);
    }
    this.#ready.unshift(...back.filter((message) => !this.#deadLetter(message)));
    this.#pump();
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
