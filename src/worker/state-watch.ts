const EVERY_MS = 15_000;

/**
 * Reads what the database says now and from time to time, never at a scrape, one reading at a time. A reading that fails
 * leaves what was read before: an outage of the database has metrics of its own. Returns how to stop.
 *
 * @param rest after each reading, as a multiple of the time that it took: so much is left of the database for others
 */
export function watch<State>(
  read: () => Promise<State>,
  show: (state: State) => void,
  { everyMs = EVERY_MS, rest = 0 }: { everyMs?: number; rest?: number } = {},
): () => Promise<void> {
  let reading: Promise<void> | undefined;
  let restsUntil = 0;
  const look = () => {
    const begun = performance.now();
    if (begun < restsUntil) return;
    reading ??= read()
      .then(show, () => undefined)
      .finally(() => {
        const ended = performance.now();
        restsUntil = ended + (ended - begun) * rest;
        reading = undefined;
      });
  };
  look();
  const timer = setInterval(look, everyMs);
  timer.unref();
  return async () => {
    clearInterval(timer);
    await reading;
  };
}
