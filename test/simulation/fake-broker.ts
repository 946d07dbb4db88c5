import type { BilledMessage } from '../../src/domain/billed-message.ts';
import type { Reply } from '../../src/worker/ports.ts';
import { FakeQueue } from './fake-queue.ts';
import type { Random } from './random.ts';
import type { Scheduler } from './scheduler.ts';

/** Whoever watches what the broker does. */
export interface BrokerWatcher {
  replied: (id: string, code: string) => void;
  unroutableReply: (id: string) => void;
  billed: (body: string) => void;
  quarantined: (id: string) => void;
  acknowledged: (id: string) => void;
  returned: (id: string) => void;
  violate: (what: string) => void;
}

/** Nobody listens there. */
export const GONE_QUEUE = 'cdrs.reply.gone';
/** A publish to it makes the broker close the connection. */
export const MALFORMED_DIRECT = 'amq.rabbitmq.reply-to.malformed';

/** The input queue, the queue of what was delivered too often, and where replies go. */
export class FakeBroker {
  readonly input: FakeQueue;
  readonly dead: FakeQueue;
  /** An alarm: publishes stall. */
  blocked = false;
  /** Whether the results exchange has a queue. */
  resultsBound = true;
  /** Whether the exchange of billed calls is there. */
  takesBilled = true;
  readonly #watcher: BrokerWatcher;

  constructor(scheduler: Scheduler, random: Random, deliveryLimit: number, watcher: BrokerWatcher) {
    const clock = { scheduler, random };
    this.#watcher = watcher;
    this.dead = new FakeQueue(clock, watcher, () => false);
    this.input = new FakeQueue(clock, watcher, ({ id, request, failures }) => {
      if (failures <= deliveryLimit) return false;
      watcher.quarantined(id);
      this.dead.publish(id, request);
      return true;
    });
  }

  /** Whether a billed message has come to the queue of whoever wants it. */
  takeBilled({ body }: BilledMessage): boolean {
    if (this.takesBilled) this.#watcher.billed(body);
    return this.takesBilled;
  }

  /** Where a reply ends up. */
  route({ exchange, routingKey, body, ...reply }: Reply): 'routed' | 'unroutable' | 'closed' {
    const correlationId = String(reply.correlationId);
    if (exchange === '' && routingKey === MALFORMED_DIRECT) return 'closed';
    if (exchange === '' && routingKey === GONE_QUEUE) return 'unroutable';
    if (exchange !== '' && !this.resultsBound) {
      this.#watcher.unroutableReply(correlationId);
      return 'unroutable';
    }
    const { responses } = JSON.parse(body.toString()) as { responses: { code: string }[] };
    this.#watcher.replied(correlationId, [...new Set(responses.map(({ code }) => code))].join());
    return 'routed';
  }
}
