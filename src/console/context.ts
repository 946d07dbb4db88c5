import type { DryRun } from '../dead-letters/dry-run.ts';
import type { ReplayOrder, ReplayProgress } from '../dead-letters/replay.ts';
import type { Edits } from '../domain/kept.ts';
import type { Sql } from '../store/sql.ts';
import type { OverviewSource } from './overview-source.ts';

/** What the pages need of the rest of the system: the same functions that the commands call. */
export interface ConsoleContext {
  sql: Sql;
  systemCurrency: string;
  overview: OverviewSource;
  dryRun: (ids: readonly string[], edits: Edits) => Promise<DryRun>;
  replay: (
    ids: readonly string[],
    order: ReplayOrder,
    stop: AbortSignal,
    onProgress: (progress: ReplayProgress) => void,
  ) => Promise<ReplayProgress>;
}
