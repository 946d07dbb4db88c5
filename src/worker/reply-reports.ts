import type { Logger } from '../ops/logger.ts';
import type { Metrics } from './metrics.ts';
import type { ReplyEvents } from './replies.ts';

/** A storm of hostile addresses is one line in so many milliseconds. */
const SAY_AGAIN_MS = 60_000;

const WORDS = {
  default:
    'the broker refuses replies to the queues of senders (write permission on the default exchange, "amq.default"): they go to cdrs.results',
  results:
    'the broker refuses replies to cdrs.results: give the worker write permission on it, or declare it with "cdr-ingest topology"; calls are held until it takes them',
} as const;

/** Counts and logs what becomes of replies that cannot go where they should. */
export function reportReplies(metrics: Metrics['replies'], log: Logger): ReplyEvents {
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
      if (isRefused) log.error({ exchange, detail }, WORDS[exchange]);
      else log.info({ exchange }, 'the broker takes replies to this exchange again');
    },
  };
}
