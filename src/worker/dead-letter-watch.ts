import type { OpenCount } from './dead-letter-metrics.ts';

const EVERY_MS = 15_000;

/**
 * Reads how many dead letters are open, now and every 15 s, one reading at a time. A reading that fails leaves what was read
 * before: the database's troubles have metrics of their own. Returns how to stop.
 */
export function watchDeadLetters(
  read: () => Promise<OpenCount[]>,
  set: (deadLetters: readonly OpenCount[]) => void,
): () => Promise<void> {
  let reading: Promise<void> | undefined;
  const look = () => {
    reading ??= read()
      .then(set, () => undefined)
      .finally(() => {
        reading = undefined;
      });
  };
  look();
  const timer = setInterval(look, EVERY_MS);
  timer.unref();
  return async () => {
    clearInterval(timer);
    await reading;
  };
}
