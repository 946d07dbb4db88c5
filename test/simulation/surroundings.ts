import type { BillingRules } from '../../src/domain/charge.ts';
import type { Statement } from '../../src/store/sql.ts';
import type { Admitted } from '../../src/worker/admission.ts';
import type { Ports } from '../../src/worker/ports.ts';
import type { Request } from '../../src/worker/request.ts';
import type { FakeBroker } from './fake-broker.ts';
import type { FakeDatabase } from './fake-database.ts';
import type { Faults } from './faults.ts';
import type { Oracle } from './oracle.ts';
import type { Random } from './random.ts';
import type { Scheduler } from './scheduler.ts';

export interface SimDelivery extends Request {
  readonly id: string;
  /** Deliveries before this one that came to nothing. */
  readonly failures: number;
  readonly epoch: number;
  readonly tag: number;
}

export type SimPorts = Ports<SimDelivery>;

/** A process of a worker, as the parts of the simulated world see it. */
export interface SimProcess {
  readonly isDead: boolean;
  crash(): void;
  /** Takes some time, in which the process may end. Then nothing after the step happens. */
  step(label: string, longest?: number): Promise<void>;
  /** Sends a request to the database and waits for the answer. */
  request<Result>(what: string, work: () => Result | Promise<Result>): Promise<Result>;
  admit(request: Request): Admitted | Promise<Admitted>;
}

/** Everything around a worker process. */
export interface Surroundings {
  readonly scheduler: Scheduler;
  readonly random: Random;
  readonly faults: Faults;
  readonly oracle: Oracle;
  readonly broker: FakeBroker;
  readonly database: FakeDatabase;
  readonly rules: BillingRules;
  /** The ports of a process as its pipeline gets them: as they are, or in a wrong order. */
  readonly mutate: (ports: SimPorts, process: SimProcess) => SimPorts;
  /** How a process has a statement executed. */
  readonly execute: (
    process: SimProcess,
    statement: Statement,
    values: readonly unknown[],
  ) => Promise<unknown[]>;
}
