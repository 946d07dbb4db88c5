import type { DryRun } from '../dead-letters/dry-run.ts';
import type { ReplayProgress } from '../dead-letters/replay.ts';
import type { Edits } from '../domain/kept.ts';
import type { Sql } from '../store/sql.ts';

/** Who replays and how; `null` is without a limit. */
export interface ReplayOrder {
  operator: string;
  why: string | null;
  edits: Edits;
  rate: number | null;
  abortOver: number | null;
}

/** What the pages do with the world: the very functions that the commands call. */
export interface ConsoleContext {
  sql: Sql;
  systemCurrency: string;
  dryRunReplays: (ids: readonly string[], edits: Edits) => Promise<DryRun>;
  replay: (
    ids: readonly string[],
    order: ReplayOrder,
    stop: AbortSignal,
    onProgress: (progress: ReplayProgress) => void,
  ) => Promise<ReplayProgress>;
}
