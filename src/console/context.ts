import type { CallChange } from '../calls/change.ts';
import type { Placed } from '../calls/order.ts';
import type { KnownFeeds } from '../dead-letters/prepare-correction.ts';
import type { ReplayPublisher } from '../dead-letters/replay-publisher.ts';
import type { BillingRules } from '../domain/charge.ts';
import type { Order } from '../store/calls/orders.ts';
import type { Database } from '../store/database.ts';
import type { Run } from '../store/replays/create.ts';
import type { Sql } from '../store/sql.ts';
import type { OverviewSource } from './overview-source.ts';

/** What the pages need of the rest of the system: the same functions that the commands call. */
export interface ConsoleContext {
  sql: Sql;
  database: Pick<Database, 'sql' | 'transaction'>;
  systemCurrency: string;
  billing: BillingRules;
  overview: OverviewSource;
  /** The feeds of the sources file as it is now. Throws InvalidInput where it is wrong. */
  feeds: () => KnownFeeds;
  /** Throws BrokerError if no broker can be reached. */
  openPublisher: () => Promise<ReplayPublisher>;
  /** Runs a dry run to its end. */
  runDryRun: (run: Run, stop: AbortSignal) => Promise<unknown>;
  /** Runs a replay to its end, and closes the publisher. */
  runReplay: (run: Run, publisher: ReplayPublisher, stop: AbortSignal) => Promise<unknown>;
  /** Has a worker book a correction, and waits for its answer for a few seconds. */
  placeOrder: (order: Order, change: CallChange) => Promise<Placed>;
}
