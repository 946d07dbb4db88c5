import { Gauge, type Registry } from 'prom-client';

/**
 * Which version a worker runs and which feeds it knows: an operator sees from these that every worker does, before tax
 * currencies or a feed are used.
 */
export function createInfoMetrics(registry: Registry) {
  const registers = [registry];
  const build = new Gauge({
    name: 'cdr_ingest_build_info',
    help: '1, with the version of this worker.',
    labelNames: ['version'],
    registers,
  });
  const feed = new Gauge({
    name: 'cdr_ingest_feed_info',
    help: '1 for each feed of the sources file that is in force.',
    labelNames: ['source'],
    registers,
  });
  return {
    setVersion: (version: string) => build.set({ version }, 1),
    setFeeds: (sources: readonly string[]) => {
      feed.reset();
      for (const source of sources) feed.set({ source }, 1);
    },
  };
}
