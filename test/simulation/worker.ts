import { type Admitted, admit, type Verdict } from '../../src/admission.ts';
import { type Reply, type ReplyRules, type Request, replyTo, resultFor } from '../../src/broker/envelope.ts';
import { backoffMs } from '../../src/commands/outage.ts';
import { Pipeline, type Ports, type Published } from '../../src/pipeline.ts';
import { classifyFailure, describeFailure } from '../../src/store/failures.ts';
import { settle } from '../../src/store/settle.ts';
import { FakeConsumer, type SimDelivery } from './fake-consumer.ts';
import { databaseError } from './fake-database.ts';
import { ADMISSION, judge, LETHAL } from './history.ts';
import type { Surroundings } from './surroundings.ts';

const RULES: ReplyRules = {
  resultsExchange: 'cdrs.results',
  allow: /^(amq\.|cdrs\.reply\.|kamailio-)/,
  ownQueues: new Set(['cdrs.create', 'cdrs.dead', 'cdrs.results']),
};
const NEVER = new Promise<never>(() => undefined);

const connectionLost = () => databaseError('08006', 'connection lost');

export type SimPorts = Ports<SimDelivery>;

/**
 * One process of a worker: the real pipeline, admission, settling and reply rules over the simulated broker and
 * database. Every wait is a step at which the process may be held up or end; what has ended does nothing more.
 */
export class WorkerProcess {
  readonly pipeline: Pipeline<SimDelivery>;
  readonly consumer: FakeConsumer;
  readonly #world: Surroundings;
  readonly #name: string;
  readonly #onCrash: () => void;
  /** Whose password has been verified: at once from then on. */
  readonly #known = new Set<string>();
  #outageSince: number | undefined;
  #dead = false;

  constructor(world: Surroundings, name: string, onCrash: () => void) {
    const { random } = world;
    this.#world = world;
    this.#name = name;
    this.#onCrash = onCrash;
    const prefetch = random.pick([1, 4, 20]);
    this.consumer = new FakeConsumer(world, name, prefetch, (delivery) => this.#accept(delivery));
    const settings = { batchSize: random.pick([1, 3, 10]), repliesInFlight: random.pick([1, 3]) };
    this.pipeline = new Pipeline(world.mutate(this.#ports(), this), settings);
    this.pipeline.failure.catch((error) => world.oracle.violate(`the pipeline of ${name} failed: ${error}`));
    this.consumer.subscribe();
  }

  get isDead(): boolean {
    return this.#dead;
  }

  /** All that the process knew is lost; the broker notices a little later. */
  crash(): void {
    if (this.#dead) return;
    this.#dead = true;
    this.#world.scheduler.note(`${this.#name} crashed`);
    this.consumer.end();
    this.#onCrash();
  }

  /** A rolling restart: takes no more, finishes what it has, leaves. */
  async drain(): Promise<void> {
    this.consumer.stop();
    await this.pipeline.idle();
    if (this.#dead) return;
    if (this.consumer.inFlight > 0)
      this.#world.oracle.violate(`${this.#name} was idle with deliveries in hand`);
    this.#dead = true;
    this.consumer.end();
    this.#onCrash();
  }

  /** Takes some time, in which the process may end; then nothing after the step ever happens. */
  step(label: string, longest = 8): Promise<void> {
    const { scheduler, random, faults } = this.#world;
    const delay = random.next() * longest + (faults.strikes('long delay') ? random.between(50, 2000) : 0);
    return new Promise((resolve) => {
      scheduler.after(delay, `${this.#name} ${label}`, () => {
        if (!this.#dead && faults.strikes('crash')) this.crash();
        if (!this.#dead) resolve();
      });
    });
  }

  /** One statement, atomic; it may fail without having happened, or have happened without an answer. */
  async request<Result>(what: string, work: () => Result): Promise<Result> {
    const { faults, database } = this.#world;
    await this.step(`sends a ${what}`);
    if (database.down || faults.strikes('statement lost')) throw connectionLost();
    if (faults.strikes('deadlock')) throw databaseError('40P01', 'deadlock detected');
    const result = work();
    await this.step(`hears of a ${what}`);
    if (faults.strikes('answer lost')) throw connectionLost();
    return result;
  }

  #ports(): SimPorts {
    const { scheduler, random, statement } = this.#world;
    const sql = <Row>(text: string, values: readonly unknown[]) =>
      statement(this, text, values) as Promise<Row[]>;
    return {
      admit: (request) => this.#admit(request),
      settle: async (entries) => {
        const outcomes = await settle(sql, entries, ADMISSION.systemCurrency);
        this.#outageSince = undefined;
        return outcomes;
      },
      blame: (error) => {
        const failure = classifyFailure(error);
        if (failure === 'outage') return 'outage';
        return failure === 'isolate' ? 'message' : 'collision';
      },
      describe: describeFailure,
      reply: (request, uniqueid, outcome) => replyTo(request.properties, uniqueid, outcome, RULES),
      fallback: (request, uniqueid, outcome) => resultFor(request.properties, uniqueid, outcome, RULES),
      publish: (replies) => Promise.all(replies.map((reply) => this.#publish(reply))),
      acknowledge: (deliveries) => this.#acknowledge(deliveries),
      alive: (delivery) => this.consumer.isLive(delivery),
      pause: async (cause, attempt) => {
        if (cause === 'outage') this.#bearOutage();
        await this.step(
          `pauses: ${cause}`,
          backoffMs(attempt, () => random.next()),
        );
      },
      observe: (event) => {
        if (event.kind === 'trouble') scheduler.note(`${this.#name} ${event.cause}: ${event.description}`);
      },
    };
  }

  #accept(delivery: SimDelivery): void {
    if (this.#world.faults.strikes('crash')) this.crash();
    if (!this.#dead) this.pipeline.accept(delivery, delivery);
  }

  #admit(request: Request): Admitted | Promise<Admitted> {
    if (request.body.includes(LETHAL)) {
      this.crash();
      return NEVER;
    }
    return admit(request, { ...ADMISSION, verify: (username, password) => this.#verify(username, password) });
  }

  #verify(username: string, password: string): Verdict | Promise<Verdict> {
    if (this.#known.has(username)) return judge(username, password);
    return this.request('question about a user', () => {
      this.#known.add(username);
      return judge(username, password);
    });
  }

  async #publish(reply: Reply): Promise<Published> {
    const { broker, faults, random } = this.#world;
    await this.step('sends a reply');
    for (let stalls = random.between(0, 5); broker.blocked && stalls > 0; stalls -= 1) {
      await this.step('waits for an alarm to end', 100);
    }
    if (broker.blocked || faults.strikes('publish lost') || faults.strikes('publish refused'))
      return 'failed';
    const end = broker.route(reply);
    await this.step('waits for a confirm');
    if (end === 'closed' || faults.strikes('confirm lost')) return 'failed';
    return end === 'routed' || !reply.mandatory ? 'confirmed' : 'returned';
  }

  #acknowledge(deliveries: readonly SimDelivery[]): void {
    const { faults } = this.#world;
    if (faults.strikes('crash')) this.crash();
    if (this.#dead) return;
    for (const delivery of deliveries) this.consumer.settled(delivery);
    this.consumer.flushAcks();
    if (faults.strikes('crash')) this.crash();
  }

  /** What lasts too long sends everything in hand back, once, until the database answers. */
  #bearOutage(): void {
    const { scheduler, database } = this.#world;
    this.#outageSince ??= scheduler.now;
    if (scheduler.now - this.#outageSince < 700) return;
    this.#outageSince = undefined;
    this.consumer.returnUntil(() => !database.down);
  }
}
