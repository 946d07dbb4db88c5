import { Socket } from 'node:net';
import { type Client, type ClientBase, Pool, type PoolClient, type PoolConfig } from 'pg';

/** Told how long somebody waited for a connection, new or from the pool, in milliseconds; also where none came in time. */
export type OnPoolWait = (milliseconds: number) => void;

/** A pool, and the means to cut all of its connections at once, whatever they are doing. */
export interface CuttablePool {
  pool: Pool;
  cut: () => void;
}

/**
 * Connects on first use. A connection in use that receives nothing for `query_timeout` milliseconds is cut, and its statement
 * fails; at most twice that if the statement could not be sent in full.
 *
 * pg has a limit of its own, but for each statement it assigns a closure to a property. V8 allocates such closures in its old
 * generation, where they keep the statement's rows and values until the next full collection (bench/NOTES.md, "What
 * outlives its message").
 */
export function openPool(
  { query_timeout: silenceMs, onConnect, ...config }: PoolConfig,
  onError: (error: unknown) => void,
  onWait?: OnPoolWait,
): CuttablePool {
  const idle = new WeakSet<ClientBase>();
  const pool = new Pool({
    ...config,
    onConnect: (client) => {
      if (silenceMs) cutWhenSilent(client, silenceMs, idle);
      return onConnect?.(client);
    },
  });
  pool.on('error', onError);
  pool.on('release', (_error, client) => idle.add(client));
  pool.on('acquire', (client) => idle.delete(client));
  const clients = new Set<PoolClient>();
  pool.on('connect', (client) => clients.add(client));
  pool.on('remove', (client) => clients.delete(client));
  if (onWait !== undefined) measureWaits(pool, onWait);
  return {
    pool,
    cut: () => {
      // `end` destroys the socket of a client with a statement under way; its type hides that from users of a pool.
      for (const client of clients) (client as PoolClient & { end: () => void }).end();
    },
  };
}

function cutWhenSilent(client: ClientBase, limitMs: number, idle: WeakSet<ClientBase>): void {
  const { stream } = (client as Client).connection;
  if (!(stream instanceof Socket)) throw new Error('expected a connection of the database to be a socket');
  stream.setTimeout(limitMs);
  stream.on('timeout', () => {
    // Set again, because only bytes would do that, and the next statement may have to wait before it is sent.
    if (idle.has(client)) stream.setTimeout(limitMs);
    else stream.destroy(new Error(`Connection terminated: no answer within ${limitMs} ms`));
  });
}

/** Statements and transactions alike get their connection by `connect`, with a callback or a promise: an idle one at once. */
function measureWaits(pool: Pool, onWait: OnPoolWait): void {
  const connect = pool.connect.bind(pool) as (done?: (...result: unknown[]) => void) => unknown;
  pool.connect = ((done?: (...result: unknown[]) => void) => {
    if (pool.idleCount > pool.waitingCount) {
      onWait(0);
      return connect(done);
    }
    const begun = performance.now();
    const told = () => onWait(performance.now() - begun);
    if (done !== undefined)
      return connect((...result) => {
        told();
        done(...result);
      });
    return (connect() as Promise<unknown>).finally(told);
  }) as Pool['connect'];
}
