import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

/** Buckets of times in which something is processed, in seconds. */
export const PROCESSING_SECONDS = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30];

/** How to declare metrics in a registry. */
export function metricsIn(registry: Registry) {
  const registers = [registry];
  return {
    counter: (name: string, help: string, labelNames: string[] = []) =>
      new Counter({ name, help, labelNames, registers }),
    histogram: (name: string, help: string, buckets: number[], labelNames: string[] = []) =>
      new Histogram({ name, help, buckets, labelNames, registers }),
    /** @param collect sets it at each scrape */
    gauge: (name: string, help: string, labelNames: string[] = [], collect?: (self: Gauge) => void) =>
      new Gauge({
        name,
        help,
        labelNames,
        registers,
        ...(collect && {
          collect() {
            collect(this);
          },
        }),
      }),
    /** A gauge that has no value until it is set: 0 would be a statement about what nobody has looked at yet. */
    unknownGauge: (name: string, help: string) => {
      const gauge = new Gauge({ name, help, registers });
      gauge.remove();
      return gauge;
    },
  };
}
