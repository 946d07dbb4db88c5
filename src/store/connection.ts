import type { PoolConfig } from 'pg';

/** A database URL that cannot be used. The message never shows the URL: it holds a password. */
export class DatabaseUrlError extends Error {}

export interface ConnectionSettings {
  /** postgresql://user:password@host:5432/database */
  url: string;
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
  return {
    connectionString: url.href,
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
