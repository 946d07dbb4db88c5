import { type BackoffRange, sleep } from '../retry.ts';
import { createBackoff } from './backoff.ts';
import {
  type BrokerConnection,
  type BrokerTls,
  type ConnectionLoss,
  type OpenResult,
  openConnection,
} from './connect.ts';
import { type BrokerLog, createProblemLog, describeError } from './log.ts';

export { type BrokerConnection, type BrokerTls, describeBroker } from './connect.ts';

/** Someone who uses the connection and must know when it comes and goes. */
export interface ConnectionUser {
  /** Sets up on a new connection. If it rejects, the connection is closed, and opened again after a pause. */
  onUp?(connection: BrokerConnection): Promise<void> | void;
  /** The connection is gone; `onUp` may still be running. `loss` is null where this side has closed it. */
  onDown?(reason: string, loss: ConnectionLoss | null): void;
  /** A memory or disk alarm of the broker blocks publishing (its reason), or is over (null). */
  onBlocked?(reason: string | null): void;
}

export interface SupervisorOptions extends ConnectionUser {
  /** The nodes of one cluster, tried in turn from a random one on. */
  urls: readonly string[];
  /** Shown in the broker's list of connections. */
  name: string;
  /** The connection ends after two to three times this without a sign of life. */
  heartbeatSeconds: number;
  /** Limit for connecting, for every call and for a clean close. */
  connectTimeoutMs: number;
  /** A number in [0, 1): chooses the first node and spreads the retries. */
  random: () => number;
  tls?: BrokerTls | undefined;
  /** Pauses between attempts, if not the usual ones. */
  pauses?: BackoffRange;
  log: BrokerLog;
}

export interface SupervisedConnection {
  /** The connection, once all users are set up on it, or null. */
  readonly current: BrokerConnection | null;
  /** The broker's reason while an alarm blocks publishing, else null. */
  readonly blocked: string | null;
  readonly log: BrokerLog;
  readonly random: () => number;
  /** Adds a user, and sets it up at once if connected. Returns a function that removes it. */
  attach(user: ConnectionUser): () => void;
  /** Waits for a connection; false if there is none after this time. */
  whenUp(milliseconds: number): Promise<boolean>;
  /** Closes for good, cleanly if the broker still answers. Never rejects; safe to repeat. */
  stop(): Promise<void>;
}

/**
 * Keeps one connection to a cluster open until `stop`: connects, sets up its users, and starts again after a
 * growing, random pause of under 5 s when the connection or a set-up fails. It never gives up, whatever the
 * reason: even a refused password may come from a broker whose users are still being restored.
 */
export function superviseConnection(options: SupervisorOptions): SupervisedConnection {
  const { log, random, name } = options;
  const stopping = new AbortController();
  const backoff = createBackoff(random, undefined, options.pauses);
  const problems = createProblemLog(log);
  const users = new Set<ConnectionUser>([options]);
  const waiters = new Set<() => void>();
  let live: BrokerConnection | null = null;
  let current: BrokerConnection | null = null;
  let turn = Math.floor(random() * options.urls.length);

  const nextUrl = () => options.urls[turn++ % options.urls.length] ?? '';

  async function setUp(connection: BrokerConnection): Promise<void> {
    const lost = connection.closed.then((reason) => Promise.reject(new Error(reason)));
    lost.catch(() => {});
    for (const user of users) await Promise.race([user.onUp?.(connection), lost]);
  }

  /** Runs one connection until it closes; resolves with the reason. */
  async function runConnection(connection: BrokerConnection): Promise<string> {
    live = connection;
    connection.onBlocked((reason) => {
      if (reason !== null)
        log.warn({ connection: name }, `publishing is blocked by an alarm of the broker: ${reason}`);
      else log.info({ connection: name }, 'publishing is no longer blocked');
      for (const user of users) user.onBlocked?.(reason);
    });
    try {
      await setUp(connection);
      current = connection;
      problems.over();
      log.info({ connection: name, server: connection.serverVersion }, `connected to ${connection.broker}`);
      for (const waiter of waiters) waiter();
    } catch (error) {
      connection.abandon(`setting up failed: ${describeError(error)}`);
    }
    const reason = await connection.closed;
    live = null;
    current = null;
    for (const user of users) {
      if (connection.blocked !== null) user.onBlocked?.(null);
      user.onDown?.(reason, connection.loss);
    }
    return reason;
  }

  function open(url: string): Promise<OpenResult> {
    const opening = openConnection({ ...options, url });
    const stopped = new Promise<OpenResult>((resolve) => {
      const give = () => resolve({ kind: 'failed', cause: 'unreachable', problem: 'stopped' });
      stopping.signal.addEventListener('abort', give, { once: true });
      opening.finally(() => stopping.signal.removeEventListener('abort', give));
    });
    return Promise.race([opening, stopped]).then((result) => {
      if (stopping.signal.aborted) {
        opening.then((late) => (late.kind === 'open' ? late.connection.close() : undefined));
      }
      return result;
    });
  }

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      const opened = await open(nextUrl());
      if (stopping.signal.aborted) return;
      let problem = '';
      if (opened.kind === 'open') {
        backoff.succeeded();
        problem = `connection to ${opened.connection.broker} lost: ${await runConnection(opened.connection)}`;
      } else {
        problem = opened.problem;
      }
      if (stopping.signal.aborted) return;
      const retryInMs = backoff.next();
      const cause = opened.kind === 'open' ? 'lost' : opened.cause;
      problems.report({ connection: name, cause, retryInMs }, problem);
      await sleep(retryInMs, stopping.signal);
    }
  }

  const running = run();

  return {
    get current() {
      return current;
    },
    get blocked() {
      return live?.blocked ?? null;
    },
    log,
    random,
    attach(user) {
      users.add(user);
      const connection = current;
      if (connection !== null) {
        Promise.resolve(connection)
          .then(user.onUp?.bind(user))
          .catch((error) => connection.abandon(`setting up failed: ${describeError(error)}`));
      }
      return () => users.delete(user);
    },
    async whenUp(milliseconds) {
      if (current !== null) return true;
      let waiter = () => {};
      const up = new Promise<void>((resolve) => {
        waiter = resolve;
      });
      waiters.add(waiter);
      const giveUp = new AbortController();
      await Promise.race([up, sleep(milliseconds, AbortSignal.any([stopping.signal, giveUp.signal]))]);
      giveUp.abort();
      waiters.delete(waiter);
      return current !== null;
    },
    async stop() {
      stopping.abort();
      await live?.close();
      await running;
    },
  };
}
