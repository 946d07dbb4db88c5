import type { Correction } from '../dead-letters/correction.ts';
import type { DryRun } from '../dead-letters/dry-run.ts';
import type { KnownFeeds } from '../dead-letters/prepare-correction.ts';
import type { ReplayOrder, ReplayProgress } from '../dead-letters/replay.ts';
import type { Sql } from '../store/sql.ts';
import type { OverviewSource } from './overview-source.ts';

/** What the pages need of the rest of the system: the same functions that the commands call. */
export interface ConsoleContext {
  sql: Sql;
  systemCurrency: string;
  overview: OverviewSource;
  /** The feeds of the sources file as it is now. Throws InvalidInput where it is wrong. */
  feeds: () => KnownFeeds;
  dryRun: (ids: readonly string[], correction: Correction) => Promise<DryRun>;
  replay: (
    ids: readonly string[],
    order: ReplayOrder,
    stop: AbortSignal,
    onProgress: (progress: ReplayProgress) => void,
  ) => Promise<ReplayProgress>;
}
