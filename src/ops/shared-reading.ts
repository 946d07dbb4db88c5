/**
 * Shares one call of `read` among all callers that arrive while it is pending or within `reusedMs` milliseconds after
 * it ended, whether it resolved or rejected.
 */
export function sharedReading<Value>(read: () => Promise<Value>, reusedMs: number): () => Promise<Value> {
  let reading: Promise<Value> | undefined;
  let goodUntil = Number.NEGATIVE_INFINITY;
  return () => {
    if (reading !== undefined && performance.now() < goodUntil) return reading;
    goodUntil = Number.POSITIVE_INFINITY;
    reading = read().finally(() => {
      goodUntil = performance.now() + reusedMs;
    });
    return reading;
  };
}
