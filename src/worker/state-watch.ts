const EVERY_MS = 15_000;

/**
 * Reads what the database says now and every 15 s, never at a scrape, one reading at a time. A reading that fails leaves
 * what was read before: an outage of the database has metrics of its own. Returns how to stop.
 */
export function watch<State>(read: () => Promise<State>, show: (state: State) => void): () => Promise<void> {
  let reading: Promise<void> | undefined;
  const look = () => {
    reading ??= read()
      .then(show, () => undefined)
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
