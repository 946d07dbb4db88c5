import { readDepth } from '../broker/depth.ts';
import type { BrokerConnection, SupervisedConnection } from '../broker/supervisor.ts';
import { pairs } from '../pairs.ts';
import { watch } from './state-watch.ts';

/** A queue, and where to show how many messages wait in it. */
export interface WatchedQueue {
  queue: string;
  isConsuming: () => boolean;
  /** @param ready null while it is not known */
  show: (ready: number | null) => void;
}

/**
 * Shows from time to time how many messages wait in each queue. The broker tells without its management API, on a channel of
 * its own, which a missing queue closes. A depth that was true before the connection was lost is no longer shown. Returns
 * how to stop.
 */
export function watchDepths(
  connection: SupervisedConnection,
  queues: readonly WatchedQueue[],
  everyMs?: number,
): () => Promise<void> {
  let live: BrokerConnection | null = null;
  const forget = () => {
    for (const { show } of queues) show(null);
  };
  const watching = watch(
    () => Promise.all(queues.map(({ queue, isConsuming }) => readyIn(queue, live, isConsuming))),
    (depths) => {
      for (const [{ show }, ready] of pairs(queues, depths)) show(live === null ? null : ready);
    },
    { everyMs },
  );
  const detach = connection.attach({
    onUp: (fresh) => {
      live = fresh;
      watching.look();
    },
    onDown: () => {
      live = null;
      forget();
    },
  });
  return async () => {
    detach();
    await watching.stop();
  };
}

async function readyIn(
  queue: string,
  connection: BrokerConnection | null,
  isConsuming: () => boolean,
): Promise<number | null> {
  // To ask would be to read on, although more bodies are in hand than may be.
  if (connection === null || connection.reading.isPaused) return null;
  const depth = await readDepth(connection, queue).catch(() => null);
  // Of a quorum queue without a leader RabbitMQ says that it is empty and has no consumers, though this worker is one.
  if (depth === null || (depth.consumers === 0 && depth.ready === 0 && isConsuming())) return null;
  return depth.ready;
}
