import { recordActivity } from '../store/activity.ts';
import { describeFailure } from '../store/database.ts';
import type { Sql } from '../store/sql.ts';
import { complain } from './print.ts';

/** Puts an export on record, before it is written: a reader may be gone before its end. */
export async function noteExport(
  sql: Sql,
  who: string | null,
  detail: Record<string, unknown>,
): Promise<void> {
  try {
    await recordActivity(sql, { who, act: 'exported', program: 'command', detail });
  } catch (error) {
    // Whoever may only read, or reads from a standby, can export nevertheless.
    if (!/\(SQLSTATE (25006|42501)\)/.test(describeFailure(error))) throw error;
    complain(`this export is not in the activity: ${describeFailure(error)}`);
  }
}
