import { describeSqlState, oneLine } from './failure-words.ts';

/**
 * What a failure of the database says about its cause:
 *
 * - `collision`: another transaction was in the way, or what a call is charged on changed meanwhile. The same work may
 *   succeed at once.
 * - `outage`: the database cannot be used. The same work may succeed later.
 * - `message`: anything else. One message of the batch may be at fault.
 *
 * A trigger on one customer's row can raise the first two as well, so `worker/isolation.ts` believes them for a few
 * rounds only.
 */
export type FailureKind = 'collision' | 'outage' | 'message';

/** The same for metrics and logs, where it is told apart that somebody other than a worker has locked something. */
export type TroubleCause = FailureKind | 'lock';

/** Raised by settle_assert: what a call was charged on has changed since it was read. */
const STALE = 'CDR01';
/** Raised by settle_moved: a trigger or row security keeps rows from moving, or dead letters out. */
const UNMOVED = 'CDR02';
const LOCK_TIMEOUT = '55P03';

/**
 * SQLSTATEs, whole or their first two digits (https://www.postgresql.org/docs/current/errcodes-appendix.html).
 * Every statement here is fixed text and the schema is known, so that class 42 (unknown table, column or
 * function, no privilege) says that the database is not migrated or not granted, never that a message is wrong.
 */
const COLLISION = new Set([
  '40', // deadlock, serialization
  '55P03', // lock timeout
  '25P03', // idle in transaction for too long: this process was held up
  '0A000', // of fixed statements only "cached plan must not change result type", after a migration
  '26000', // a pooler between us forgot a prepared statement
  '42P05', // or kept one of somebody else
]);
const OUTAGE = new Set([
  '08', // connection
  '25006', // read-only: a replica, or a primary on its way down
  '28', // authentication
  '3D', // no such database
  '3F', // no such schema
  '42', // not migrated, not granted
  '53', // out of disk, memory, connections
  '57', // shutdown, start-up, statement timeout
  '58', // I/O
  'XX001', // corrupted data
  'XX002', // corrupted index
]);

/** The adapter's names for failures without an SQLSTATE. */
const CONNECTION_KINDS: Record<string, string> = {
  DatabaseNotReachable: 'cannot reach the database',
  ConnectionClosed: 'the connection to the database was closed',
  SocketTimeout: 'the connection to the database timed out',
  TlsConnectionError: 'no TLS connection to the database',
};

/** What pg says in plain text, without a code. */
const CONNECTION_MESSAGES =
  /^(Connection terminated|timeout exceeded when trying|timeout expired|Query read timeout|Client (has encountered|was closed)|Cannot use a pool|The server does not support SSL|There was an error establishing an SSL|SASL)/;

/** What Prisma says without a word of the database: cannot connect (P1…), no connection free in time. */
const PRISMA_OUTAGE = /^(P1\d{3}|P2021|P2022|P2024|P2028|P2037)$/;

interface Cause {
  sqlState: string | undefined;
  /** The adapter's name for the failure. */
  kind: string;
  /** PostgreSQL's primary message; its detail, which shows rows, is never read. */
  message: string;
  /** Of the server, where one was tried; else ''. */
  address: string;
  /** Of a failed TLS handshake, else ''. */
  reason: string;
}

/** A failure that this code found by itself. Its message is shown as it is, so it holds no value of a call. */
class ShownFailure extends Error {}

/** Somebody has locked a whole table, so no single call can be blamed: everything waits. */
export class LockedTable extends ShownFailure {}

/** Another worker has a row for longer than it should; that it is locked says nothing against anybody else. */
export class RowOfWorker extends ShownFailure {}

/** A message can be neither stored nor kept, and waits nowhere; the reason is the message. */
export class NotPersisted extends ShownFailure {}

/** Whether a statement gave up waiting for a lock. */
export function isLockTimeout(error: unknown): boolean {
  return causeOf(error)?.sqlState === LOCK_TIMEOUT;
}

/** The rows that a statement could not move; undefined where that was not what ended it. */
export function unmovedRows(error: unknown): { of: 'customer' | 'invoice'; ids: string[] } | undefined {
  const cause = causeOf(error);
  const [, of, ids] = /^(customer|invoice) (\d+(?:,\d+)*)$/.exec(cause?.message ?? '') ?? [];
  if (cause?.sqlState !== UNMOVED || ids === undefined) return undefined;
  return { of: of === 'customer' ? of : 'invoice', ids: ids.split(',') };
}

/** What the database, the driver or Prisma threw says about its cause. */
export function classifyFailure(error: unknown): FailureKind {
  if (error instanceof LockedTable) return 'outage';
  if (error instanceof RowOfWorker) return 'collision';
  const cause = causeOf(error);
  if (cause?.sqlState === UNMOVED && cause.message.startsWith('dead letters')) return 'message';
  if (cause?.sqlState !== undefined) return bySqlState(cause.sqlState);
  if (cause?.kind === 'TransactionWriteConflict') return 'collision';
  // Without an SQLSTATE the server said nothing: it could not be reached, or not be understood.
  if (cause !== undefined) return 'outage';
  const code = textField(error, 'code');
  if (code === 'P2034') return 'collision';
  if (PRISMA_OUTAGE.test(code)) return 'outage';
  // Node's system errors (ECONNREFUSED, EPIPE, EAI_AGAIN) and those of its TLS.
  if (/^(E(?!RR_)[A-Z_]+|ERR_(TLS|SSL|SOCKET|STREAM)\w*)$/.test(code)) return 'outage';
  return CONNECTION_MESSAGES.test(textField(error, 'message')) ? 'outage' : 'message';
}

/** What to say about a failure in metrics and logs. */
export function troubleCause(error: unknown): TroubleCause {
  return error instanceof LockedTable || isLockTimeout(error) ? 'lock' : classifyFailure(error);
}

/** What the server called the failure, or '' where it was not the server that said so. */
export function sqlStateOf(error: unknown): string {
  return causeOf(error)?.sqlState ?? textField(error, 'code');
}

/** One line for logs and operators that shows no password, and no value of a call except where an operator's own trigger quotes it. */
export function describeFailure(error: unknown): string {
  if (error instanceof ShownFailure) return error.message;
  const cause = causeOf(error);
  if (cause?.sqlState !== undefined) return describeSqlState(cause.sqlState, cause.message);
  if (cause !== undefined) return describeKind(cause);
  const code = textField(error, 'code');
  const message = textField(error, 'message');
  if (CONNECTION_MESSAGES.test(message)) return oneLine(message);
  const name = error instanceof Error ? error.name : typeof error;
  if (code !== '') return `${name} ${code}`;
  return [name, placeOf(error)].filter((part) => part).join(' ');
}

function bySqlState(state: string): FailureKind {
  const isIn = (set: ReadonlySet<string>) => set.has(state) || set.has(state.slice(0, 2));
  if (state === STALE || state === UNMOVED || isIn(COLLISION)) return 'collision';
  return isIn(OUTAGE) ? 'outage' : 'message';
}

function describeKind({ kind, address, reason }: Cause): string {
  const text = CONNECTION_KINDS[kind] ?? kind;
  if (address !== '') return `${text} at ${address}`;
  return reason === '' ? text : `${text}: ${oneLine(reason)}`;
}

/**
 * The adapter's error, which Prisma hands on in `meta` of its own, or one that the driver threw without them; undefined for an
 * error that is not the database's.
 */
function causeOf(error: unknown): Cause | undefined {
  const adapterError = field(field(error, 'meta'), 'driverAdapterError') ?? error;
  const cause = field(adapterError, 'cause');
  const kind = textField(cause, 'kind');
  if (kind === '') return causeOfDriver(error);
  if (kind === 'GenericJs') return undefined;
  const address = [textField(cause, 'host'), field(cause, 'port')].filter((part) => part).join(':');
  return {
    sqlState: textField(cause, 'originalCode') || undefined,
    kind,
    message: textField(cause, 'originalMessage'),
    address,
    reason: textField(cause, 'reason'),
  };
}

/** What pg throws: what the server said, or that no server was there. Of several addresses of one name the first counts. */
function causeOfDriver(error: unknown): Cause | undefined {
  const nothing = { message: '', address: '', reason: '' };
  if (textField(error, 'severity') !== '')
    return {
      ...nothing,
      kind: 'postgres',
      sqlState: textField(error, 'code'),
      message: textField(error, 'message'),
    };
  const tried = error instanceof AggregateError ? error.errors[0] : error;
  if (textField(tried, 'syscall') !== 'connect') return undefined;
  const address = [textField(tried, 'address'), field(tried, 'port')].filter((part) => part).join(':');
  return { ...nothing, kind: 'DatabaseNotReachable', sqlState: undefined, address };
}

/** Function, file and line of our own code where an unexpected error arose: its message may quote a value. */
function placeOf(error: unknown): string | undefined {
  const stack = error instanceof Error ? (error.stack ?? '') : '';
  const frame = stack.split('\n').find((line) => /^\s+at .*\//.test(line) && !line.includes('node:'));
  return frame?.trim().replace(/\(?(file:\/\/)?\/\S*\/([^/\s]+?)\)?$/, '$2');
}

function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null && name in value
    ? (value as Record<string, unknown>)[name]
    : undefined;
}

function textField(value: unknown, name: string): string {
  const found = field(value, name);
  return typeof found === 'string' ? found : '';
}
