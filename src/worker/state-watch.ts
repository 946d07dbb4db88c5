import type { Logger } from '../ops/logger.ts';
import { describeFailure } from '../store/failures.ts';

const EVERY_MS = 15_000;

/** A reading that is repeated. */
export interface Watch {
  /** Reads now, unless it does already or rests. */
  look: () => void;
  stop: () => Promise<void>;
}

export interface WatchOptions {
  everyMs?: number | undefined;
  /** After each reading, as a multiple of the time that it took: so much is left for others. */
  rest?: number;
  onFailure?: (error: unknown) => void;
}

/**
 * Reads a state now and from time to time, never at a scrape, one reading at a time. A reading that fails leaves what was
 * read before.
 */
export function watch<State>(
  read: () => Promise<State>,
  show: (state: State) => void,
  { everyMs = EVERY_MS, rest = 0, onFailure = () => undefined }: WatchOptions = {},
): Watch {
  let reading: Promise<void> | undefined;
  let restsUntil = 0;
  const look = () => {
    const begun = performance.now();
    if (begun < restsUntil) return;
    reading ??= read()
      .then(show, onFailure)
      .finally(() => {
        const ended = performance.now();
        restsUntil = ended + (ended - begun) * rest;
        reading = undefined;
      });
  };
  look();
  const timer = setInterval(look, everyMs);
  timer.unref();
  return {
    look,
    stop: async () => {
      clearInterval(timer);
      await reading;
    },
  };
}

/** Logs why a reading fails, once while that stays the same: a missing grant would keep a metric as it is for ever. */
export function reportUnread(log: Pick<Logger, 'warn'>): (error: unknown) => void {
  let last = '';
  return (error) => {
    const problem = describeFailure(error);
    if (problem !== last)
      log.warn({ problem }, 'cannot read the database for /metrics: it shows what was read before');
    last = problem;
  };
}
