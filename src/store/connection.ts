import type { ConnectionOptions } from 'node:tls';
import type { PoolConfig } from 'pg';

/** A database URL that cannot be used. The message never shows the URL: it holds a password. */
export class DatabaseUrlError extends Error {}

/** PEM text: the authorities that are trusted, and the client's own certificate and key. */
export type DatabaseTls = Pick<ConnectionOptions, 'ca' | 'cert' | 'key'>;

export interface ConnectionSettings {
  /** postgresql://user:password@host:5432/database */
  url: string;
  tls?: DatabaseTls | undefined;
  /** As pg_stat_activity shows it. */
  applicationName: string;
  /** Milliseconds until a connection, new or from the pool, must be had. */
  connectTimeoutMs: number;
  poolSize: number;
  /** Milliseconds after which the server ends a statement; 0 for never. */
  statementTimeoutMs: number;
  /** Milliseconds after which the server ends a wait for a lock; 0 for never. */
  lockTimeoutMs: number;
}

/** How long a server may stay silent after it should have ended a statement: then its connection is dead. */
const SILENCE_MS = 5000;
const KEEPALIVE_AFTER_MS = 10_000;
const IDLE_MS = 30_000;
/** After a failover behind a load balancer, connections move to the new primary within this time. */
const LIFETIME_SECONDS = 1800;

/**
 * The adapter takes every timestamptz for UTC whatever the session says, and reads dates in the ISO style only.
 */
const SESSION = '-c TimeZone=GMT -c DateStyle=ISO';

/** The pool options for a database. Throws DatabaseUrlError. */
export function connectionConfig(settings: ConnectionSettings): PoolConfig {
  const url = parsed(settings.url);
  const options = [url.searchParams.get('options'), SESSION].filter((text) => text).join(' ');
  // What stands in the URL wins over the rest of this object, so the options must not stand there.
  url.searchParams.delete('options');
  const ssl = sslOf(url, settings.tls);
  url.searchParams.delete('sslmode');
  return {
    connectionString: url.href,
    ssl,
    options,
    application_name: settings.applicationName,
    max: settings.poolSize,
    connectionTimeoutMillis: settings.connectTimeoutMs,
    idleTimeoutMillis: IDLE_MS,
    maxLifetimeSeconds: LIFETIME_SECONDS,
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEPALIVE_AFTER_MS,
    lock_timeout: settings.lockTimeoutMs,
    ...(settings.statementTimeoutMs > 0 && {
      statement_timeout: settings.statementTimeoutMs,
      idle_in_transaction_session_timeout: settings.statementTimeoutMs,
      // TCP keepalive takes minutes to notice a server that is gone without a word.
      query_timeout: settings.statementTimeoutMs + SILENCE_MS,
    }),
  };
}

/** Parameters of libpq that name files: certificates have variables of their own. */
const FILE_PARAMETERS = ['sslrootcert', 'sslcert', 'sslkey'];

/**
 * What `sslmode` asks for, as libpq understands it: `require` encrypts, and checks the chain where authorities are
 * given; `verify-ca` checks the chain; `verify-full` the name too. Without one, certificates mean `verify-full`.
 */
function sslOf(url: URL, tls: DatabaseTls | undefined): PoolConfig['ssl'] {
  const file = FILE_PARAMETERS.find((name) => url.searchParams.has(name));
  if (file !== undefined)
    throw new DatabaseUrlError(
      `the database URL has ${file}: give certificates in DATABASE_TLS_CA, _CERT and _KEY`,
    );
  const mode = url.searchParams.get('sslmode') ?? (tls === undefined ? 'disable' : 'verify-full');
  switch (mode) {
    case 'disable':
      if (tls === undefined) return false;
      throw new DatabaseUrlError('the database URL has sslmode=disable, but DATABASE_TLS_… is set');
    case 'require':
      return tls?.ca === undefined ? { ...tls, rejectUnauthorized: false } : { ...tls, checkServerIdentity };
    case 'verify-ca':
      // Any certificate of any public authority would do.
      if (tls?.ca === undefined)
        throw new DatabaseUrlError(
          'the database URL has sslmode=verify-ca: expected DATABASE_TLS_CA with it',
        );
      return { ...tls, checkServerIdentity };
    case 'verify-full':
      return { ...tls };
    default:
      throw new DatabaseUrlError(
        `the database URL has sslmode=${mode}: expected disable, require, verify-ca or verify-full`,
      );
  }
}

/** Takes any name: the chain has been checked before. */
const checkServerIdentity = () => undefined;

function parsed(text: string): URL {
  const expected = 'expected postgresql://user:password@host:5432/database';
  if (!URL.canParse(text)) throw new DatabaseUrlError(`the database URL cannot be read: ${expected}`);
  const url = new URL(text);
  if (url.protocol !== 'postgresql:' && url.protocol !== 'postgres:')
    throw new DatabaseUrlError(`the database URL is not one of PostgreSQL: ${expected}`);
  try {
    for (const part of [url.username, url.password, url.pathname]) decodeURIComponent(part);
  } catch {
    throw new DatabaseUrlError('the database URL has a % that is not %25: percent-encode user and password');
  }
  const schema = url.searchParams.get('schema') ?? 'public';
  if (schema !== 'public')
    throw new DatabaseUrlError(`the database URL names the schema ${schema}: only public is supported`);
  return url;
}
