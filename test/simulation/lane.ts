import type { Taking } from '../../src/broker/others-exchange.ts';
import type { BilledMessage } from '../../src/domain/billed-message.ts';
import type { Manner } from '../../src/domain/held.ts';
import type { Submission } from '../../src/domain/submission.ts';
import { backoffMs } from '../../src/retry.ts';
import type { HeldRows } from '../../src/store/persist/held-rows.ts';
import type { Persist } from '../../src/worker/batch.ts';
import { Pipeline } from '../../src/worker/pipeline.ts';
import type { Published, Reply } from '../../src/worker/ports.ts';
import type { ReplyRules } from '../../src/worker/reply.ts';
import { FakeConsumer } from './fake-consumer.ts';
import type { FakeQueue } from './fake-queue.ts';
import type { SimDelivery, SimPorts, SimProcess, Surroundings } from './surroundings.ts';

export const REPLY_RULES: ReplyRules = {
  resultsExchange: 'cdrs.results',
  allow: /^(amq\.|cdrs\.reply\.|kamailio-)/,
  ownQueues: new Set(['cdrs.create', 'cdrs.dead', 'cdrs.results']),
};
/** An outage that lasts longer sends everything in hand back, once. */
const RETURN_AFTER_MS = 700;

/** What is done with the messages of a queue. */
export interface LaneOptions {
  name: string;
  queue: FakeQueue;
  prefetch: number;
  admit: (delivery: SimDelivery) => Submission | Promise<Submission>;
  prepare: (entries: readonly Submission[], manner?: Manner) => Persist;
  rows: HeldRows;
  /** Looks whether locked rows are free. */
  probe: () => Promise<void>;
}

/** A call waits so long for a row that somebody else holds. */
const ROW_WAIT_MS = 1500;

/** The real pipeline between a queue and the database, in one process. */
export class Lane {
  readonly pipeline: Pipeline<SimDelivery>;
  readonly consumer: FakeConsumer;
  readonly #world: Surroundings;
  readonly #process: SimProcess;
  #outageSince: number | undefined;

  constructor(world: Surroundings, process: SimProcess, options: LaneOptions) {
    const { random } = world;
    const { name, queue, prefetch } = options;
    this.#world = world;
    this.#process = process;
    this.consumer = new FakeConsumer(world, queue, name, prefetch, (delivery) => this.#accept(delivery));
    const settings = {
      admittedAtOnce: random.pick([1, 3, 40]),
      batchSize: random.pick([1, 3, 10]),
      batchBytes: random.pick([1, 1500, 100_000]),
      repliesInFlight: random.pick([1, 3]),
      replies: REPLY_RULES,
      limit: Math.floor(prefetch / 4),
      limitBytes: 1_000_000,
      holdsEndless: true,
      waitMs: ROW_WAIT_MS,
    };
    this.pipeline = new Pipeline(world.mutate(this.#ports(options), process), settings);
    this.pipeline.failure.catch((error) => world.oracle.violate(`the pipeline of ${name} failed: ${error}`));
    this.consumer.subscribe();
  }

  #ports({ name, admit, prepare, rows, probe }: LaneOptions): SimPorts {
    const { scheduler, random } = this.#world;
    return {
      admit,
      // No password has to wait here.
      setAside: () => undefined,
      prepare: (entries, manner) => {
        const persist = prepare(entries, manner);
        return async () => {
          const outcomes = await persist();
          this.#outageSince = undefined;
          return outcomes;
        };
      },
      isWell: () => this.#process.request('question how it is', () => true).catch(() => false),
      rows,
      look: async () => {
        await this.#process.step('looks at what is held', 200);
        await probe().catch(() => undefined);
      },
      now: () => scheduler.now,
      publish: (replies) => Promise.all(replies.map((reply) => this.#publish(reply))),
      publishBilled: (messages) => this.#publishBilled(messages),
      acknowledge: (deliveries) => this.#acknowledge(deliveries),
      isLive: (delivery) => this.consumer.isLive(delivery),
      pause: async (cause, attempt) => {
        if (cause === 'outage') this.#bearOutage(() => !this.#world.database.down);
        if (cause === 'billed') this.#bearOutage(() => this.#world.broker.takesBilled);
        const longest = backoffMs(attempt, undefined, () => random.next());
        await this.#process.step(`pauses: ${cause}`, longest);
      },
      observe: (event) => {
        if (event.kind === 'trouble') scheduler.note(`${name} ${event.cause}: ${event.description}`);
      },
    };
  }

  #accept(delivery: SimDelivery): void {
    if (this.#world.faults.strikes('crash')) this.#process.crash();
    if (!this.#process.isDead) this.pipeline.accept(delivery);
  }

  async #publish(reply: Reply): Promise<Published> {
    const { broker, faults, random } = this.#world;
    await this.#process.step('sends a reply');
    for (let stalls = random.between(0, 5); broker.blocked && stalls > 0; stalls -= 1) {
      await this.#process.step('waits for an alarm to end', 100);
    }
    if (broker.blocked || faults.strikes('publish lost') || faults.strikes('publish refused')) {
      return 'failed';
    }
    const end = broker.route(reply);
    await this.#process.step('waits for a confirm');
    if (end === 'closed' || faults.strikes('confirm lost')) return 'failed';
    return end === 'routed' || !reply.mandatory ? 'confirmed' : 'returned';
  }

  /** Each message may be lost, and the confirm of each. */
  async #publishBilled(messages: readonly BilledMessage[]): Promise<Taking[]> {
    const { broker, faults } = this.#world;
    await this.#process.step('sends billed messages');
    const taken = messages.map((message): Taking => {
      if (broker.blocked || faults.strikes('publish lost')) return 'failed';
      return broker.takeBilled(message) ? 'confirmed' : 'refused';
    });
    await this.#process.step('waits for their confirms');
    return taken.map((taking) => (faults.strikes('confirm lost') ? 'failed' : taking));
  }

  #acknowledge(deliveries: readonly SimDelivery[]): void {
    const { faults } = this.#world;
    if (faults.strikes('crash')) this.#process.crash();
    if (this.#process.isDead) return;
    for (const delivery of deliveries) this.consumer.done(delivery);
    this.consumer.flush();
    if (faults.strikes('crash')) this.#process.crash();
  }

  #bearOutage(isOver: () => boolean): void {
    const { scheduler } = this.#world;
    this.#outageSince ??= scheduler.now;
    if (scheduler.now - this.#outageSince < RETURN_AFTER_MS) return;
    this.#outageSince = undefined;
    this.consumer.returnUntil(isOver);
  }
}
