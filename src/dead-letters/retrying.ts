import { retry } from '../retry.ts';
import { classifyFailure } from '../store/database.ts';

const TRIES = 8;

/** Repeats a statement that collided with another one, or met a database that is down for a moment. */
export function retrying<Result>(work: () => Promise<Result>): Promise<Result> {
  return retry(work, (error, attempt) => classifyFailure(error) !== 'message' && attempt < TRIES);
}
