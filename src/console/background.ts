import { within } from '../retry.ts';

/** How soon work stops whose operator may no longer go on with it. */
const CHECK_EVERY_MS = 5000;

/** The dry runs and replays that this process runs. What becomes of them is on their rows. */
export class Background {
  readonly #works = new Map<Promise<void>, AbortController>();

  /**
   * Runs work on behalf of an operator. Stops it when `mayContinue` says no; while that cannot be asked, it continues.
   */
  start(
    operator: string,
    mayContinue: () => Promise<boolean>,
    work: (stop: AbortSignal) => Promise<unknown>,
  ): void {
    const stop = new AbortController();
    const check = setInterval(async () => {
      if (await mayContinue().catch(() => true)) return;
      stop.abort(`stopped: ${operator}'s password, role or status has changed since the replay was started`);
    }, CHECK_EVERY_MS);
    const underWay: Promise<void> = work(stop.signal)
      // Its row says how it ended.
      .then(
        () => undefined,
        () => undefined,
      )
      .finally(() => {
        clearInterval(check);
        this.#works.delete(underWay);
      });
    this.#works.set(underWay, stop);
  }

  /** Stops everything, and waits until that is on the rows; not for ever, since no worker may be running. */
  async stop(patienceMs: number): Promise<void> {
    for (const stop of this.#works.values()) stop.abort('the console was shut down');
    const ended = Promise.allSettled(this.#works.keys());
    await within(ended, patienceMs, 'the end of the replays').catch(() => undefined);
  }
}
