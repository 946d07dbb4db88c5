import { Duplex } from 'node:stream';
import type { ConnectionOptions } from 'node:tls';
import { type Channel, type ChannelModel, type ConfirmChannel, connect, credentials } from 'amqplib';
import { within } from './deadline.ts';
import { type GuardedReading, guardDecoding } from './guarded-decoding.ts';
import { describeError } from './log.ts';

/** What the socket takes before amqplib must wait: the replies of a whole batch. */
const WRITE_BUFFER = { writableHighWaterMark: 256 * 1024 };

/** Certificates for `amqps:`, handed to Node's TLS unchanged. */
export type BrokerTls = Pick<
  ConnectionOptions,
  'ca' | 'cert' | 'key' | 'passphrase' | 'servername' | 'rejectUnauthorized'
>;

export interface ConnectOptions {
  url: string;
  /** Shown in the broker's list of connections. */
  name: string;
  heartbeatSeconds: number;
  /** Limit of the whole handshake, and of every later call on the connection. */
  connectTimeoutMs: number;
  tls?: BrokerTls | undefined;
}

/** One live AMQP connection. */
export interface BrokerConnection {
  /** The broker it leads to, without the password. */
  readonly broker: string;
  readonly serverVersion: string;
  /** The broker's words while a memory or disk alarm stops this connection from publishing, else null. */
  readonly blocked: string | null;
  /** Settles, never rejects, with the reason once the connection is gone. */
  readonly closed: Promise<string>;
  /** Every call on channels is bounded by this. */
  readonly rpcTimeoutMs: number;
  /** What is read of what comes. */
  readonly reading: GuardedReading;
  onBlocked(listener: (reason: string | null) => void): void;
  /** @throws when the connection is gone or does not answer in time. */
  openChannel(): Promise<Channel>;
  /** @throws when the connection is gone or does not answer in time. */
  openConfirmChannel(): Promise<ConfirmChannel>;
  /** Gives the connection up at once: the socket is destroyed, `closed` settles with the reason. */
  abandon(reason: string): void;
  /** Closes in good order, or by force when the broker does not answer in time. Never rejects. */
  close(): Promise<void>;
}

export type OpenResult =
  | { kind: 'open'; connection: BrokerConnection }
  | { kind: 'failed'; cause: 'credentials' | 'vhost' | 'tls' | 'unreachable'; problem: string };

/** `amqp://user:***@host:5672/vhost`: what may be shown and logged of a broker's URL. */
export function describeBroker(url: string): string {
  // Of another shape, nobody can say which part is the password.
  if (!/^amqps?:/.test(url) || !URL.canParse(url)) return 'a broker URL that cannot be read';
  const { protocol, username, password, host, pathname } = new URL(url);
  const user = username === '' ? '' : `${username}${password === '' ? '' : ':***'}@`;
  return `${protocol}//${user}${host}${pathname}`;
}

/** Connects once. Does not throw: a broker that cannot be reached is an expected outcome. */
export async function openConnection(options: ConnectOptions): Promise<OpenResult> {
  const { connectTimeoutMs, name, heartbeatSeconds } = options;
  let opening: Promise<ChannelModel> | undefined;
  try {
    const url = new URL(options.url);
    url.searchParams.set('heartbeat', String(heartbeatSeconds));
    opening = connect(url.href, {
      ...options.tls,
      // Left to itself amqplib decodes percent-escapes as Latin-1 and sends another password than the given.
      credentials: credentials.plain(decode(url.username, url), decode(url.password, url)),
      noDelay: true,
      ...WRITE_BUFFER,
      timeout: connectTimeoutMs,
      clientProperties: { connection_name: name },
    });
    // amqplib's own timeout is one of silence; a broker that answers a byte at a time would outlive it.
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

/** The first of several brokers that lets this user in. Rejects with one line: what is wrong with the last. */
export async function openFirst(
  options: Omit<ConnectOptions, 'url'> & { urls: readonly string[] },
): Promise<BrokerConnection> {
  let problem = 'expected the URL of a broker, got none';
  for (const url of options.urls) {
    const opened = await openConnection({ ...options, url });
    if (opened.kind === 'open') return opened.connection;
    problem = opened.problem;
  }
  throw new Error(problem);
}

function decode(part: string, { username, password }: URL): string {
  if (username === '' && password === '') return 'guest';
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** Node's names for what is wrong with a certificate or a handshake. */
const TLS_CODE = /CERT|SIGNATURE|^ERR_(TLS|SSL|OSSL)/;

function explain(error: unknown, url: string): Omit<Extract<OpenResult, { kind: 'failed' }>, 'kind'> {
  const broker = describeBroker(url);
  const text = describeError(error);
  if (/terminated by server: 403/.test(text)) {
    return { cause: 'credentials', problem: `${broker} refuses this user or password: ${text}` };
  }
  // amqplib drops the broker's words here; all that is left is that it closed instead of opening the vhost.
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
  const socket = socketOf(model);
  if (socket !== null) writeTogether(socket);
  const reading = guardDecoding(model.connection);
  let blocked: string | null = null;
  let failure: string | null = null;
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
      reading.resume();
      resolve(failure ?? (error === undefined ? 'closed by this side' : describeError(error)));
      // amqplib only ends its half: towards a peer that is gone the socket, and what it still holds, would
      // stay until TCP itself gives up, a quarter of an hour later. A second lets Close-Ok out.
      setTimeout(() => destroySocket(model, 'closed'), 1_000).unref();
    });
  });
  model.on('blocked', (reason) => setBlocked(String(reason)));
  model.on('unblocked', () => setBlocked(null));

  return {
    broker,
    serverVersion: model.connection.serverProperties.version,
    get blocked() {
      return blocked;
    },
    closed,
    rpcTimeoutMs,
    reading,
    onBlocked: (listener) => blockedListeners.push(listener),
    openChannel: () => within(reading.answer(model.createChannel()), rpcTimeoutMs, 'a channel'),
    openConfirmChannel: () =>
      within(reading.answer(model.createConfirmChannel()), rpcTimeoutMs, 'a channel with confirms'),
    abandon(reason) {
      if (isClosed) return;
      failure ??= reason;
      destroySocket(model, reason);
    },
    async close() {
      if (isClosed) return;
      failure ??= 'closed by this side';
      reading.resume();
      // The promise of close() never settles when the socket dies before Close-Ok; the event always comes.
      model.close().catch(() => {});
      await within(closed, rpcTimeoutMs, 'close-ok').catch(() => destroySocket(model, 'no close-ok in time'));
    },
  };
}

/** An error makes amqplib notice; a socket destroyed without one ends silently and its heartbeat goes on. */
function destroySocket(model: ChannelModel, reason: string): void {
  const socket = socketOf(model);
  if (socket !== null && !socket.destroyed) socket.destroy(new Error(reason));
}

/** What amqplib keeps to itself. */
function socketOf(model: ChannelModel): Duplex | null {
  const stream: unknown = Reflect.get(model.connection, 'stream');
  return stream instanceof Duplex ? stream : null;
}

/**
 * amqplib hands the socket each message by itself, and a system call for each costs more than all the rest of
 * publishing it: what one turn of the event loop writes goes out as one.
 */
function writeTogether(socket: Duplex): void {
  const write = socket.write.bind(socket) as (...args: unknown[]) => boolean;
  let isCorked = false;
  socket.write = (...args: unknown[]) => {
    if (!isCorked) {
      isCorked = true;
      socket.cork();
      setImmediate(() => {
        isCorked = false;
        socket.uncork();
      });
    }
    return write(...args);
  };
}
