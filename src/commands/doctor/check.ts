import type { Health } from '../../broker/health/health.ts';
import { describeError } from '../../broker/log.ts';
import { describeFailure } from '../../store/database.ts';
import { databaseProblem } from '../database.ts';

/** One line of `doctor`. */
export type Check = Health & { check: string };

/** A check that cannot be carried out has failed, and the others go on. */
export async function checked(check: string, look: () => Promise<Health>): Promise<Check> {
  try {
    return { check, ...(await look()) };
  } catch (error) {
    return { check, state: 'failed', detail: describeError(error) };
  }
}

/** SQLSTATE insufficient_privilege. */
const NOT_PERMITTED = /\(SQLSTATE 42501\)/;

/** The same for a check of the database, which this role may have no right to. */
export async function examined(check: string, look: () => Promise<Health>): Promise<Check> {
  try {
    return { check, ...(await look()) };
  } catch (error) {
    const words = describeFailure(error);
    return NOT_PERMITTED.test(words)
      ? { check, state: 'unknown', detail: `skipped: ${words}; set DATABASE_URL to a role that may read it` }
      : { check, state: 'failed', detail: databaseProblem(error) };
  }
}
