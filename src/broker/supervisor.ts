import { type BackoffRange, createBackoff } from './backoff.ts';
import { type BrokerConnection, type BrokerTls, type OpenResult, openConnection } from './connect.ts';
import { sleep } from './deadline.ts';
import { type BrokerLog, createProblemLog, describeError } from './log.ts';

export { type BrokerConnection, type BrokerTls, describeBroker } from './connect.ts';

/** Whoever lives on a connection and must be told when it comes and goes. */
export interface ConnectionUser {
  /** Sets up on a fresh connection. When it fails, the connection is closed and tried again after a pause. */
  onUp?(connection: BrokerConnection): Promise<void> | void;
  /** The connection that `onUp` was given, or was being given, is gone. */
  onDown?(reason: string): void;
  /** A memory or disk alarm of the broker stops this connection from publishing (its words), or ended (null). */
  onBlocked?(reason: string | null): void;
}

export interface SupervisorOptions extends ConnectionUser {
  /** The members of one cluster; tried in turn from a random one on. */
  urls: readonly string[];
  /** Shown in the broker's list of connections. */
  name: string;
  /** Silence of two to three times this ends the connection. */
  heartbeatSeconds: number;
  /** Limit of connecting, of every call and of the orderly close. */
  connectTimeoutMs: number;
  /** A number in [0, 1): shuffles hosts and spreads retries. */
  random: () => number;
  tls?: BrokerTls | undefined;
  /** Pauses between attempts, where others than the usual ones are right. */
  pauses?: BackoffRange;
  log: BrokerLog;
}

export interface SupervisedConnection {
  /** The connection whose users are all set up, or null. */
  readonly current: BrokerConnection | null;
  /** The broker's words while an alarm blocks publishing, else null. */
  readonly blocked: string | null;
  readonly log: BrokerLog;
  readonly random: () => number;
  /** Adds a user; set up at once when a connection is there. Returns how to leave. */
  attach(user: ConnectionUser): () => void;
  /** Whether a connection is up, after waiting for one at most this long. */
  whenUp(milliseconds: number): Promise<boolean>;
  /** Closes for good, in good order where the broker still answers. Never rejects; safe to repeat. */
  stop(): Promise<void>;
}

/**
 * Keeps one connection to a cluster for as long as the process lives: connects, tells its users, and starts
 * again with a growing, random pause of under 5 s whenever the connection or its set-up fails, whatever the
 * reason: a refused password may be a broker whose users are still being restored.
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

  /** Lives through one connection. Returns why it ended. */
  async function liveThrough(connection: BrokerConnection): Promise<string> {
    live = connection;
    connection.onBlocked((reason) => {
      if (reason !== null) log.warn({ connection: name }, `blocked by an alarm of the broker: ${reason}`);
      else log.info({ connection: name }, 'no longer blocked by the broker');
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
      user.onDown?.(reason);
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
        problem = `connection to ${opened.connection.broker} lost: ${await liveThrough(opened.connection)}`;
      } else {
        problem = opened.problem;
      }
      if (stopping.signal.aborted) return;
      const retryInMs = backoff.next();
      const cause = opened.kind === 'open' ? 'lost' : opened.cause;
      problems.say({ connection: name, cause, retryInMs }, problem);
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
