import type { Registry } from 'prom-client';
import { diversions } from '../domain/reply.ts';
import type { Logger } from '../ops/logger.ts';
import { metricsIn } from './registry.ts';
import type { ReplyEvents } from './reply-publisher.ts';

/** A flood of hostile addresses is one line in so many milliseconds. */
const SAY_AGAIN_MS = 60_000;

const REFUSED = {
  default:
    'the broker refuses replies to the queues of senders (write permission on the default exchange, "amq.default"): they go to cdrs.results',
  results:
    'the broker refuses replies to cdrs.results: give the worker write permission on it, or declare it with "cdr-ingest topology"; calls are held until it takes them',
} as const;

/** What `/metrics` shows of replies that did not go where their sender wanted them. */
export function createReplyMetrics(registry: Registry) {
  const { counter, gauge } = metricsIn(registry);
  const refusedExchange = gauge(
    'cdr_ingest_reply_exchange_refused',
    '1 while the broker refuses replies to an exchange: no permission, or no such exchange.',
    ['exchange'],
  );
  const diverted = counter(
    'cdr_ingest_diverted_replies_total',
    'Replies that went to cdrs.results instead of their reply_to, by reason.',
    ['why'],
  );
  for (const why of diversions) diverted.inc({ why }, 0);
  for (const exchange of ['default', 'results']) refusedExchange.set({ exchange }, 0);
  return { refusedExchange, diverted };
}

export type ReplyMetrics = ReturnType<typeof createReplyMetrics>;

/** Counts and logs replies that cannot go where they should. */
export function reportReplies(metrics: ReplyMetrics, log: Logger): ReplyEvents {
  let sayAgainAt = 0;
  return {
    onDiverted(why, address) {
      metrics.diverted.inc({ why });
      if (why !== 'closing' || performance.now() < sayAgainAt) return;
      sayAgainAt = performance.now() + SAY_AGAIN_MS;
      log.warn(
        { replyTo: address },
        'this reply_to makes the broker close connections: its replies go to cdrs.results',
      );
    },
    onRefused(exchange, isRefused, detail) {
      metrics.refusedExchange.set({ exchange }, isRefused ? 1 : 0);
      if (isRefused) log.error({ exchange, detail }, REFUSED[exchange]);
      else log.info({ exchange }, 'the broker takes replies to this exchange again');
    },
  };
}
