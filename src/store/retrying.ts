import { retry } from '../retry.ts';
import { classifyFailure } from './failures.ts';

const TRIES = 8;

/**
 * Repeats work that collided with another session, or met a database that is down for a moment. The work must be safe to
 * repeat, as one statement or one transaction is.
 *
 * @param tries repetitions at most
 */
export function retrying<Result>(work: () => Promise<Result>, tries = TRIES): Promise<Result> {
  return retry(work, (error, attempt) => classifyFailure(error) !== 'message' && attempt < tries);
}
