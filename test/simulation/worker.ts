import type { AuthResult } from '../../src/auth/verifier.ts';
import { createPersistAroundLocks } from '../../src/store/persist/around-locks.ts';
import { HeldRows } from '../../src/store/persist/held-rows.ts';
import { persistUnlessHeld } from '../../src/store/persist/persist.ts';
import { createReadAhead } from '../../src/store/persist/read-ahead.ts';
import type { Sql, Statement } from '../../src/store/sql.ts';
import { type Admitted, admit } from '../../src/worker/admission.ts';
import type { Request } from '../../src/worker/request.ts';
import { databaseError } from './fake-database.ts';
import { ADMISSION, judge, LETHAL } from './history.ts';
import { Lane } from './lane.ts';
import { takeQuarantined } from './quarantine.ts';
import type { Surroundings } from './surroundings.ts';

const connectionLost = () => databaseError('08006', 'connection lost');

/**
 * One process of a worker: the real pipelines, admission, persisting and reply rules over the simulated broker and
 * database. Every wait is a step at which the process may be held up or end; what has ended does nothing more.
 */
export class WorkerProcess {
  /** Of the input queue, and of the queue of what the broker dead-lettered. */
  readonly lanes: readonly Lane[];
  readonly #world: Surroundings;
  readonly #name: string;
  readonly #onEnd: () => void;
  /** Whose password has been verified: at once from then on. */
  readonly #known = new Set<string>();
  #dead = false;

  constructor(world: Surroundings, name: string, onEnd: () => void) {
    const { broker, random, execute, rules: billing } = world;
    this.#world = world;
    this.#name = name;
    this.#onEnd = onEnd;
    const sql: Sql = <Row>(statement: Statement, values: readonly unknown[]) =>
      execute(this, statement, values) as Promise<Row[]>;
    const rows = new HeldRows(() => world.scheduler.now);
    const probe = () => rows.probe(sql);
    const persistHeld = createPersistAroundLocks(
      {
        sql,
        openStatuses: billing.openStatuses,
        plain: (submissions, isHeld, lookup) =>
          persistUnlessHeld(sql, submissions, { billing, isHeld, lookup }),
        limited: () => (submissions, isHeld) =>
          this.request('transaction', () =>
            persistUnlessHeld(
              async <Row>(statement: Statement, values: readonly unknown[]) =>
                world.database.execute(statement, values) as Row[],
              submissions,
              { billing, isHeld },
            ),
          ),
      },
      rows,
      { lockTimeoutMs: 1000, patienceMs: 1000 },
      // What stands in the way here says so at once: nothing has ever waited.
      () => 0,
    );
    this.lanes = [
      new Lane(world, this, {
        name,
        queue: broker.input,
        prefetch: random.pick([1, 4, 20]),
        admit: (delivery) => this.admit(delivery),
        prepare: createReadAhead(sql, billing, persistHeld, () => world.scheduler.now),
        rows,
        probe,
      }),
      new Lane(world, this, {
        name: `${name} (dead queue)`,
        queue: broker.dead,
        prefetch: 1,
        admit: (delivery) => takeQuarantined(world, this, delivery),
        // Everything is written by then.
        prepare: (entries) => async () =>
          entries.flatMap((entry) => (entry.kind === 'decided' ? [entry.outcome] : [])),
        rows,
        probe,
      }),
    ];
  }

  get isDead(): boolean {
    return this.#dead;
  }

  get inFlight(): number {
    return this.lanes.reduce((sum, { consumer }) => sum + consumer.inFlight, 0);
  }

  /** All that the process knew is lost; the broker notices a little later. */
  crash(): void {
    if (this.#dead) return;
    this.#world.scheduler.note(`${this.#name} crashes`);
    this.#end();
  }

  /** Its connection breaks. */
  disconnect(): void {
    for (const { consumer } of this.lanes) consumer.disconnect();
  }

  /** A rolling restart: takes no more, finishes what it has, leaves. */
  async drain(): Promise<void> {
    for (const { consumer } of this.lanes) consumer.stop();
    await Promise.all(this.lanes.map(({ pipeline }) => pipeline.idle()));
    if (this.#dead) return;
    // What waits for a row that somebody else holds goes back to the broker.
    const waiting = this.lanes.reduce((sum, { pipeline }) => sum + pipeline.waiting, 0);
    if (this.inFlight > waiting) this.#world.oracle.violate(`${this.#name} was idle with deliveries in hand`);
    for (const { consumer } of this.lanes) consumer.flush(true);
    this.#end();
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

  /** One statement or transaction, atomic; it may fail without having happened, or happen without an answer. */
  async request<Result>(what: string, work: () => Result | Promise<Result>): Promise<Result> {
    const { faults, database } = this.#world;
    await this.step(`sends a ${what}`);
    if (database.down || faults.strikes('statement lost')) throw connectionLost();
    if (faults.strikes('deadlock')) throw databaseError('40P01', 'deadlock detected');
    // Nothing else happens before this is done: it takes no step.
    const result = await work();
    await this.step(`hears of a ${what}`);
    if (faults.strikes('answer lost')) throw connectionLost();
    return result;
  }

  admit(request: Request): Admitted | Promise<Admitted> {
    if (request.body.includes(LETHAL)) {
      this.crash();
      // One of its own: what waits for it keeps a whole world, for as long as it is there itself.
      return new Promise<never>(() => undefined);
    }
    return admit(request, { ...ADMISSION, verify: (username, password) => this.#verify(username, password) });
  }

  #verify(username: string, password: string): AuthResult | Promise<AuthResult> {
    if (this.#known.has(username)) return judge(username, password);
    return this.request('question about a user', () => {
      this.#known.add(username);
      return judge(username, password);
    });
  }

  #end(): void {
    this.#dead = true;
    for (const { consumer } of this.lanes) consumer.end();
    this.#onEnd();
  }
}
