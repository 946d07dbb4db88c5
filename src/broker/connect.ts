import type { X509Certificate } from 'node:crypto';
import type { ConnectionOptions } from 'node:tls';
import { type Channel, type ChannelModel, type ConfirmChannel, connect, credentials } from 'amqplib';
import { within } from '../retry.ts';
import { certificateOf, corkWrites, destroySocket } from './amqplib.ts';
import { type GuardedReading, guardDecoding } from './decoding/guarded-decoding.ts';
import { describeError } from './log.ts';

export type { Channel, ConfirmChannel } from 'amqplib';

/**
 * Why a connection ended that this side did not mean to end.
 *
 * - `network`: the socket broke or ended without a word of the broker.
 * - `heartbeat`: nothing came for two to three heartbeats.
 * - `broker`: the broker closed it, as when it is shut down or for an error.
 * - `decoding`: this side could not decode what came.
 * - `abandoned`: this side gave it up, because an answer did not come or a set-up failed.
 */
export const connectionLosses = ['network', 'heartbeat', 'broker', 'decoding', 'abandoned'] as const;
export type ConnectionLoss = (typeof connectionLosses)[number];

/** One open AMQP connection. amqplib's own is not used outside of src/broker. */
export interface BrokerConnection {
  /** Its URL without the password. */
  readonly broker: string;
  readonly serverVersion: string;
  /** That of the broker; undefined without TLS. */
  readonly certificate: X509Certificate | undefined;
  /** The broker's reason while a memory or disk alarm blocks publishing, else null. */
  readonly blocked: string | null;
  /** Resolves with the reason when the connection is gone. Never rejects. */
  readonly closed: Promise<string>;
  /** Why it was lost; null while it is open, or after this side has closed it. */
  readonly loss: ConnectionLoss | null;
  /**
   * Limit for every call on its channels. amqplib has no timeouts, and some of its promises stay pending when the
   * socket dies, so every wait for the broker needs `within`.
   */
  readonly rpcTimeoutMs: number;
  /** Controls what is read from the socket. */
  readonly reading: GuardedReading;
  onBlocked(listener: (reason: string | null) => void): void;
  /** @throws when the connection is gone or does not answer in time. */
  openChannel(): Promise<Channel>;
  /** @throws when the connection is gone or does not answer in time. */
  openConfirmChannel(): Promise<ConfirmChannel>;
  /** Destroys the socket at once; `closed` resolves with the reason. */
  abandon(reason: string): void;
  /** Closes cleanly, or by force when the broker does not answer in time. Never rejects. */
  close(): Promise<void>;
}

/** TLS options for `amqps:`, passed on to Node unchanged. */
export type BrokerTls = Pick<
  ConnectionOptions,
  'ca' | 'cert' | 'key' | 'passphrase' | 'servername' | 'rejectUnauthorized'
>;

export interface ConnectOptions {
  url: string;
  /** Shown in the broker's list of connections. */
  name: string;
  heartbeatSeconds: number;
  /** Limit for the whole handshake, and for every later call on the connection. */
  connectTimeoutMs: number;
  tls?: BrokerTls | undefined;
}

/** Why a broker cannot be used. */
export type FailureCause = 'credentials' | 'vhost' | 'tls' | 'unreachable';

export type OpenResult =
  | { kind: 'open'; connection: BrokerConnection }
  | { kind: 'failed'; cause: FailureCause; problem: string };

/** A broker's URL for messages and logs: `amqp://user:***@host:5672/vhost`. */
export function describeBroker(url: string): string {
  // In any other text the password cannot be told apart.
  if (!/^amqps?:/.test(url) || !URL.canParse(url)) return 'an invalid broker URL';
  const { protocol, username, password, host, pathname } = new URL(url);
  const user = username === '' ? '' : `${username}${password === '' ? '' : ':***'}@`;
  return `${protocol}//${user}${host}${pathname}`;
}

/** Bytes that the socket takes before amqplib has to wait: enough for the replies of a whole batch. */
const WRITE_BUFFER = { writableHighWaterMark: 256 * 1024 };

/** Connects once. Never rejects: an unreachable broker is an expected outcome. */
export async function openConnection(options: ConnectOptions): Promise<OpenResult> {
  const { connectTimeoutMs, name, heartbeatSeconds } = options;
  let opening: Promise<ChannelModel> | undefined;
  try {
    const url = new URL(options.url);
    url.searchParams.set('heartbeat', String(heartbeatSeconds));
    opening = connect(url.href, {
      ...options.tls,
      // By itself amqplib decodes percent-escapes as Latin-1, and would send the wrong password.
      credentials: credentials.plain(decode(url.username, url), decode(url.password, url)),
      noDelay: true,
      ...WRITE_BUFFER,
      timeout: connectTimeoutMs,
      clientProperties: { connection_name: name },
    });
    // amqplib's own timeout only limits silence: a broker that answers byte by byte would never reach it.
    const model = await within(opening, connectTimeoutMs, 'the connection');
    return { kind: 'open', connection: watch(model, describeBroker(options.url), connectTimeoutMs) };
  } catch (error) {
    opening?.then(
      (late) => destroySocket(late, 'connected too late'),
      () => {},
    );
    return { kind: 'failed', ...explain(error, options.url) };
  }
}

/** No broker accepts. The message says in one line what the problem with the last one is. */
export class ConnectError extends Error {
  readonly reason: FailureCause;

  constructor(reason: FailureCause, problem: string) {
    super(problem);
    this.reason = reason;
  }
}

/** Connects to the first broker that accepts. Rejects with ConnectError. */
export async function openFirst(
  options: Omit<ConnectOptions, 'url'> & { urls: readonly string[] },
): Promise<BrokerConnection> {
  let failure = new ConnectError('unreachable', 'expected the URL of a broker, got none');
  for (const url of options.urls) {
    const opened = await openConnection({ ...options, url });
    if (opened.kind === 'open') return opened.connection;
    failure = new ConnectError(opened.cause, opened.problem);
  }
  throw failure;
}

function decode(part: string, { username, password }: URL): string {
  if (username === '' && password === '') return 'guest';
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** Node's error codes for certificates and handshakes. */
const TLS_CODE = /CERT|SIGNATURE|^ERR_(TLS|SSL|OSSL)/;

function explain(error: unknown, url: string): Omit<Extract<OpenResult, { kind: 'failed' }>, 'kind'> {
  const broker = describeBroker(url);
  const text = describeError(error);
  if (/terminated by server: 403/.test(text)) {
    return { cause: 'credentials', problem: `${broker} refuses this user or password: ${text}` };
  }
  // amqplib drops the broker's message here. All it tells is that the broker closed instead of opening the
  // vhost.
  if (/Expected ConnectionOpenOk; got <ConnectionClose/.test(text)) {
    return {
      cause: 'vhost',
      problem: `${broker}: the virtual host does not exist or this user may not use it`,
    };
  }
  if (error instanceof Error && 'code' in error && TLS_CODE.test(String(error.code))) {
    return { cause: 'tls', problem: `${broker}: no TLS connection: ${text.replace(/\s+/g, ' ').trim()}` };
  }
  return { cause: 'unreachable', problem: `${broker} cannot be reached: ${text}` };
}

function watch(model: ChannelModel, broker: string, rpcTimeoutMs: number): BrokerConnection {
  corkWrites(model);
  const reading = guardDecoding(model.connection);
  let blocked: string | null = null;
  let failure: string | null = null;
  let loss: ConnectionLoss | null = null;
  let isEnding = false;
  let isClosed = false;
  const blockedListeners: ((reason: string | null) => void)[] = [];
  const setBlocked = (reason: string | null) => {
    blocked = reason;
    for (const listener of blockedListeners) listener(reason);
  };
  const closed = new Promise<string>((resolve) => {
    model.on('error', (error) => {
      failure ??= describeError(error);
    });
    model.on('close', (error) => {
      isClosed = true;
      if (!isEnding) loss ??= reading.undecodable ? 'decoding' : lossOf(error);
      reading.resume();
      resolve(failure ?? (error === undefined ? 'closed by this side' : describeError(error)));
      // amqplib only ends its side of the socket. If the peer is gone, the socket and its buffers would stay
      // until TCP times out after a quarter of an hour. One second is enough to send Close-Ok.
      setTimeout(() => destroySocket(model, 'closed'), 1_000).unref();
    });
  });
  model.on('blocked', (reason) => setBlocked(String(reason)));
  model.on('unblocked', () => setBlocked(null));

  return {
    broker,
    serverVersion: model.connection.serverProperties.version,
    certificate: certificateOf(model),
    get blocked() {
      return blocked;
    },
    closed,
    get loss() {
      return loss;
    },
    rpcTimeoutMs,
    reading,
    onBlocked: (listener) => blockedListeners.push(listener),
    openChannel: () => within(reading.answer(model.createChannel()), rpcTimeoutMs, 'a channel'),
    openConfirmChannel: () =>
      within(reading.answer(model.createConfirmChannel()), rpcTimeoutMs, 'a channel with confirms'),
    abandon(reason) {
      if (isClosed) return;
      failure ??= reason;
      loss ??= reading.undecodable ? 'decoding' : 'abandoned';
      destroySocket(model, reason);
    },
    async close() {
      if (isClosed) return;
      failure ??= 'closed by this side';
      isEnding = true;
      reading.resume();
      // The promise of close() never resolves if the socket dies before Close-Ok; the event always comes.
      model.close().catch(() => {});
      await within(closed, rpcTimeoutMs, 'close-ok').catch(() => destroySocket(model, 'no close-ok in time'));
    },
  };
}

/** From what amqplib says of the end. By itself it ends a connection only over a frame that it does not understand. */
function lossOf(error: unknown): ConnectionLoss {
  if (!(error instanceof Error)) return 'decoding';
  if (error.message === 'Heartbeat timeout') return 'heartbeat';
  return error.message.startsWith('Connection closed: ') ? 'broker' : 'network';
}
