import type { Registry } from 'prom-client';
import type { Logger } from '../ops/logger.ts';
import type { OnStatement } from '../store/prisma.ts';
import { metricsIn, PROCESSING_SECONDS } from './registry.ts';

/** In milliseconds; a full batch takes some tens of them. */
const SLOW_MS = 1000;
/** One line for each statement in so many milliseconds: a slow database must not fill the disk. */
const SAY_AGAIN_MS = 10_000;

export function createStatementMetrics(registry: Registry) {
  return metricsIn(registry).histogram(
    'cdr_ingest_statement_seconds',
    'Time that statements took, by name; the wait for a connection included.',
    PROCESSING_SECONDS,
    ['statement'],
  );
}

/**
 * Measures every statement and logs slow ones, by their names: neither the metric nor the log shows a value.
 *
 * @param now milliseconds on a clock that never goes back
 */
export function reportStatements(
  metric: ReturnType<typeof createStatementMetrics>,
  log: Pick<Logger, 'warn'>,
  now: () => number = () => performance.now(),
): OnStatement {
  const series = new Map<string, ReturnType<typeof metric.labels>>();
  const slow = new Map<string, { sayAgainAt: number; unsaid: number }>();

  function reportSlow(statement: string, milliseconds: number): void {
    const { sayAgainAt, unsaid } = slow.get(statement) ?? { sayAgainAt: Number.NEGATIVE_INFINITY, unsaid: 0 };
    if (now() < sayAgainAt) {
      slow.set(statement, { sayAgainAt, unsaid: unsaid + 1 });
      return;
    }
    log.warn({ statement, ms: Math.round(milliseconds), moreSince: unsaid }, 'slow statement');
    slow.set(statement, { sayAgainAt: now() + SAY_AGAIN_MS, unsaid: 0 });
  }

  return (statement, milliseconds) => {
    // Looking the labels up costs more than counting.
    const one = series.get(statement) ?? metric.labels(statement);
    series.set(statement, one);
    one.observe(milliseconds / 1000);
    if (milliseconds >= SLOW_MS) reportSlow(statement, milliseconds);
  };
}
