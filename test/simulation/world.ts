import type { BillingRules } from '../../src/domain/charge.ts';
import type { Statement } from '../../src/store/sql.ts';
import { BILLING } from '../support/billing.ts';
import { FakeBroker } from './fake-broker.ts';
import { FakeDatabase, type TableWatcher } from './fake-database.ts';
import { Faults } from './faults.ts';
import { writeHistory } from './history.ts';
import { planLastingFaults } from './lasting-faults.ts';
import { Oracle } from './oracle.ts';
import { Random } from './random.ts';
import { Scheduler, settled } from './scheduler.ts';
import type { SimPorts, SimProcess, Surroundings } from './surroundings.ts';
import { WorkerProcess } from './worker.ts';

/** How a world differs from the real one: wrong orders, to see that they are noticed. */
export interface Mutant {
  mutate?: (ports: SimPorts, process: SimProcess) => SimPorts;
  database?: (watcher: TableWatcher) => FakeDatabase;
  execute?: (
    process: SimProcess,
    database: FakeDatabase,
    statement: Statement,
    values: readonly unknown[],
  ) => Promise<unknown[]>;
}

export interface Run {
  violations: readonly string[];
  trace: readonly string[];
  faults: ReadonlyMap<string, number>;
}

/** Virtual milliseconds in which things go wrong. */
const TROUBLED_MS = 2500;
/** Far more than any run needs. */
const TASK_LIMIT = 50_000;

/** One history, one set of workers, one set of faults: everything follows from the seed. */
export async function simulate(seed: number, mutant: Mutant = {}): Promise<Run> {
  const world = createWorld(seed, mutant);
  const { scheduler, oracle, faults } = world;
  const processes: WorkerProcess[] = [];
  const onRejection = (error: unknown) => oracle.violate(`nobody handled: ${error}`);
  process.on('unhandledRejection', onRejection);

  const workers = world.random.pick([1, 2, 2, 3]);
  for (let slot = 0; slot < workers; slot += 1) startWorker(world, processes, slot, 1);
  planLastingFaults(world, processes, TROUBLED_MS);
  scheduler.after(TROUBLED_MS, 'the faults are over', () => {
    faults.stop();
    world.database.hostile = false;
    world.database.obstacles.clear();
  });
  const isAtRest = await scheduler.run(TASK_LIMIT);

  if (!isAtRest) oracle.violate('the world does not come to rest');
  else {
    await judgeIdle(world, processes);
    oracle.judge(world.broker, world.database);
  }
  process.removeListener('unhandledRejection', onRejection);
  return { violations: oracle.violations, trace: scheduler.trace, faults: faults.happened };
}

function createWorld(seed: number, mutant: Mutant): Surroundings {
  const random = new Random(seed);
  const scheduler = new Scheduler();
  const faults = new Faults(random, (text) => scheduler.note(text));
  const history = writeHistory(random, random.between(1, random.pick([5, 15, 40])));
  const rules: BillingRules = { ...BILLING, lateCalls: seed % 2 === 0 ? 'next' : 'hold' };
  const oracle = new Oracle(history, rules.lateCalls);
  const broker = new FakeBroker(scheduler, random, random.pick([2, 20, 20]), oracle);
  const database = mutant.database?.(oracle) ?? new FakeDatabase(oracle);
  oracle.watch(database);
  const { mutate = (ports) => ports, execute } = mutant;
  let at = 0;
  let before: string | null = null;
  for (const { id, request, uniqueid } of history) {
    // Often on the heels of the one before: two workers then take one uniqueid in at once.
    if (random.chance(uniqueid === before ? 0.2 : 0.5)) at = random.next() * random.pick([1, 500]);
    before = uniqueid;
    scheduler.after(at, `${id} is sent`, () => {
      oracle.sent(id);
      broker.input.publish(id, request);
    });
  }
  return {
    scheduler,
    random,
    faults,
    oracle,
    broker,
    database,
    rules,
    mutate,
    execute: (worker, statement, values) =>
      execute === undefined
        ? worker.request('statement', () => database.execute(statement, values))
        : execute(worker, database, statement, values),
  };
}

/** A process that ends is followed by another one. */
function startWorker(
  world: Surroundings,
  processes: WorkerProcess[],
  slot: number,
  generation: number,
): void {
  processes[slot] = new WorkerProcess(world, `w${slot}.${generation}`, () => {
    world.scheduler.after(world.random.next() * 200, `worker ${slot} starts again`, () =>
      startWorker(world, processes, slot, generation + 1),
    );
  });
}

/** At rest every process has nothing in hand and says so. */
async function judgeIdle({ oracle }: Surroundings, processes: readonly WorkerProcess[]): Promise<void> {
  for (const { lanes, inFlight, isDead } of processes) {
    if (isDead) oracle.violate('a process is dead at the end');
    let isIdle = false;
    void Promise.all(lanes.map(({ pipeline }) => pipeline.idle())).then(() => {
      isIdle = true;
    });
    await settled();
    if (!isIdle) oracle.violate('a pipeline is not idle at rest');
    if (inFlight > 0) oracle.violate(`${inFlight} deliveries in hand at rest`);
  }
}
