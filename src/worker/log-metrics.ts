import { Counter, type Registry } from 'prom-client';

/** What `/metrics` shows of the log. */
export function createLogMetrics(registry: Registry) {
  let dropped = () => 0;
  new Counter({
    name: 'cdr_ingest_log_lines_dropped_total',
    help: 'Lines of the log that could not be written.',
    registers: [registry],
    collect() {
      this.reset();
      this.inc(dropped());
    },
  });
  return {
    showDropped: (count: () => number) => {
      dropped = count;
    },
  };
}
