/** Thrown by `within` when the time is up. */
export class DeadlineError extends Error {
  override name = 'DeadlineError';
}

/**
 * Waits for `work`, at most `milliseconds`. amqplib has no timeout on any call, and some of its promises
 * never settle when the socket dies, so every wait for the broker goes through here.
 *
 * @param what names the wait in the error, e.g. `the broker's answer to basic.cancel`.
 * @throws DeadlineError when the time is up; a later rejection of `work` is swallowed.
 */
export function within<T>(work: Promise<T>, milliseconds: number, what: string): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new DeadlineError(`${what} did not come within ${milliseconds} ms`)),
      milliseconds,
    );
    work.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

/** Sleeps, or returns early when `signal` is aborted; never rejects. */
export function sleep(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const finish = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', finish);
      resolve();
    };
    const timer = setTimeout(finish, milliseconds);
    signal.addEventListener('abort', finish);
  });
}
