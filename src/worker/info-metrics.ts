import type { Registry } from 'prom-client';
import { metricsIn } from './registry.ts';

/**
 * Which version a worker runs and which feeds it knows: an operator sees from these that every worker does, before tax
 * currencies or a feed are used.
 */
export function createInfoMetrics(registry: Registry) {
  const { gauge } = metricsIn(registry);
  const build = gauge('cdr_ingest_build_info', '1, with the version of this worker.', ['version']);
  const feed = gauge('cdr_ingest_feed_info', '1 for each feed of the sources file that is in force.', [
    'source',
  ]);
  return {
    setVersion: (version: string) => build.set({ version }, 1),
    setFeeds: (sources: readonly string[]) => {
      feed.reset();
      for (const source of sources) feed.set({ source }, 1);
    },
  };
}
