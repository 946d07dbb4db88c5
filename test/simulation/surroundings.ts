import type { Statement } from '../../src/store/sql.ts';
import type { FakeBroker } from './fake-broker.ts';
import type { FakeDatabase } from './fake-database.ts';
import type { Faults } from './faults.ts';
import type { SimPorts } from './lane.ts';
import type { Oracle } from './oracle.ts';
import type { Random } from './random.ts';
import type { Scheduler } from './scheduler.ts';
import type { WorkerProcess } from './worker.ts';

/** What a worker process finds around it. */
export interface Surroundings {
  readonly scheduler: Scheduler;
  readonly random: Random;
  readonly faults: Faults;
  readonly oracle: Oracle;
  readonly broker: FakeBroker;
  readonly database: FakeDatabase;
  /** The ports of a process as its pipeline gets them: as they are, or in a wrong order. */
  readonly mutate: (ports: SimPorts, process: WorkerProcess) => SimPorts;
  /** How a process has a statement executed. */
  readonly execute: (
    process: WorkerProcess,
    statement: Statement,
    values: readonly unknown[],
  ) => Promise<unknown[]>;
}
