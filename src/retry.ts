/** Milliseconds of the shortest and the longest pause between two tries, before chance shortens them. */
export interface BackoffRange {
  first: number;
  longest: number;
}

/** For the database. Under 5 s, so that a worker is at work again well within 30 s of the end of an outage. */
const DATABASE: BackoffRange = { first: 20, longest: 4000 };

/**
 * Milliseconds before the next try: doubled with each failure, and shortened at random by up to a half, so that many
 * that failed together do not come back together.
 *
 * | attempt | 0  | 1  | 2  | 3   | 4   | 5   | 6    | 7    | from 8 on |
 * | ------- | -- | -- | -- | --- | --- | --- | ---- | ---- | --------- |
 * | at most | 20 | 40 | 80 | 160 | 320 | 640 | 1280 | 2560 | 4000      |
 *
 * @param attempt failures before this one
 * @param random a number in [0, 1)
 */
export function backoffMs(
  attempt: number,
  { first, longest }: BackoffRange = DATABASE,
  random: () => number = Math.random,
): number {
  return Math.min(longest, first * 2 ** attempt) * (1 - random() / 2);
}

/**
 * Repeats `work` until it succeeds. Rejects with its latest error where `isWorthwhile` says that another try is of no
 * use. What `work` does must be safe to do twice.
 *
 * @param isWorthwhile judges the error of a failed try; `attempt` counts the failures before it
 * @param pause waits before the next try; `backoffMs` unless said otherwise
 */
export async function retry<Result>(
  work: () => Promise<Result>,
  isWorthwhile: (error: unknown, attempt: number) => boolean | Promise<boolean>,
  pause: (attempt: number) => Promise<void> = (attempt) => sleep(backoffMs(attempt)),
): Promise<Result> {
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await work();
    } catch (error) {
      if (!(await isWorthwhile(error, attempt))) throw error;
      await pause(attempt);
    }
  }
}

/** The longest that Node's timers wait, nearly 25 days; with more they do not wait at all. */
const TIMER_MAX_MS = 2_147_483_647;

/** Sleeps, or returns early when `signal` is aborted. Never rejects. */
export function sleep(milliseconds: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve();
    const finish = () => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', finish);
      resolve();
    };
    const timer = setTimeout(finish, Math.min(milliseconds, TIMER_MAX_MS));
    signal?.addEventListener('abort', finish);
  });
}

/** Thrown by `within` when the time is up. */
export class DeadlineError extends Error {
  override name = 'DeadlineError';
}

/**
 * Waits for `work`, at most `milliseconds`. A later result or rejection of `work` is ignored.
 *
 * @param what names the wait in the error, e.g. `the broker's answer to basic.cancel`
 * @throws DeadlineError when the time is up
 */
export function within<Result>(work: Promise<Result>, milliseconds: number, what: string): Promise<Result> {
  const waited = Math.min(milliseconds, TIMER_MAX_MS);
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new DeadlineError(`${what} did not come within ${waited} ms`)),
      waited,
    );
    work.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
