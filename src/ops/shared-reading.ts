/**
 * Reads once for all who ask meanwhile, and gives the same answer to those who ask within `reusedMs` milliseconds
 * after, be it a rejection.
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
