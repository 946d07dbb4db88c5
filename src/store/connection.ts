import type { ConnectionOptions } from 'node:tls';
import type { PoolConfig } from 'pg';
import { DatabaseUrlError, readDatabaseUrl } from './database-url.ts';

/** PEM text: the trusted authorities, and the client's own certificate and key. */
export type DatabaseTls = Pick<ConnectionOptions, 'ca' | 'cert' | 'key'>;

/** Where a database is, and the certificates of the connection. */
export interface DatabaseAddress {
  /** postgresql://user:password@host:5432/database */
  url: string;
  tls?: DatabaseTls | undefined;
}

export interface ConnectionSettings extends DatabaseAddress {
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

/** A connection is dead if the server is silent for so long after it should have ended a statement. */
const SILENCE_MS = 5000;
const KEEPALIVE_AFTER_MS = 10_000;
const IDLE_MS = 30_000;
/** After a failover behind a load balancer, connections move to the new primary within this time. */
const LIFETIME_SECONDS = 1800;

/**
 * The settings of each session. Made in SQL, not in the startup message, in which a pooler refuses what it does not know. The
 * adapter takes every timestamptz for UTC whatever the session's time zone is, and reads dates in the ISO style only.
 */
export function sessionSettings({ statementTimeoutMs, lockTimeoutMs }: ConnectionSettings): string {
  const settings: Record<string, string> = {
    TimeZone: 'GMT',
    DateStyle: 'ISO',
    lock_timeout: `${lockTimeoutMs}`,
    // A trigger of cdrs looks there in place of versions that do not say so.
    'cdr_ingest.knows_past_calls': 'on',
    ...(statementTimeoutMs > 0 && {
      statement_timeout: `${statementTimeoutMs}`,
      idle_in_transaction_session_timeout: `${statementTimeoutMs}`,
    }),
  };
  return Object.entries(settings)
    .map(([name, value]) => `set ${name} = '${value}'`)
    .join('; ');
}

/**
 * The pool options for a database. Every option is given, because the driver reads a missing one from environment variables
 * of its own. No connection string is given, because it would override the options. Throws DatabaseUrlError.
 */
export function connectionConfig(settings: ConnectionSettings): PoolConfig {
  const { host, port, user, password, database, ...parameters } = readDatabaseUrl(settings.url);
  return {
    host,
    port,
    ...(user !== undefined && { user }),
    ...(password !== undefined && { password }),
    ...(database !== undefined && { database }),
    ssl: sslOf(host, parameters.sslmode, settings.tls),
    // Never empty: then the driver would read PGOPTIONS.
    options: parameters.options ?? ' ',
    // The pool waits for the promise, whatever its type says.
    onConnect: (client) => client.query(sessionSettings(settings)),
    client_encoding: 'UTF8',
    application_name: parameters.applicationName || settings.applicationName,
    max: settings.poolSize,
    connectionTimeoutMillis: settings.connectTimeoutMs,
    idleTimeoutMillis: IDLE_MS,
    maxLifetimeSeconds: LIFETIME_SECONDS,
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEPALIVE_AFTER_MS,
    // TCP keepalive takes minutes to notice a server that vanished.
    ...(settings.statementTimeoutMs > 0 && { query_timeout: settings.statementTimeoutMs + SILENCE_MS }),
  };
}

/**
 * `sslmode` as libpq understands it: `require` encrypts, and checks the chain if authorities are given; `verify-ca` checks
 * the chain; `verify-full` also checks the name. Without `sslmode`, certificates mean `verify-full`.
 */
function sslOf(host: string, sslmode: string | undefined, tls: DatabaseTls | undefined): PoolConfig['ssl'] {
  const mode = sslmode ?? (tls === undefined ? 'disable' : 'verify-full');
  if (host.startsWith('/') && mode !== 'disable')
    throw new DatabaseUrlError('the database URL names a socket, which has no TLS: expected sslmode=disable');
  switch (mode) {
    case 'disable':
      if (tls === undefined) return false;
      throw new DatabaseUrlError('the database URL has sslmode=disable, but DATABASE_TLS_… is set');
    case 'require':
      return tls?.ca === undefined ? { ...tls, rejectUnauthorized: false } : { ...tls, checkServerIdentity };
    case 'verify-ca':
      // Without authorities, a certificate of any public one would pass.
      if (tls?.ca === undefined)
        throw new DatabaseUrlError(
          'the database URL has sslmode=verify-ca: expected DATABASE_TLS_CA with it',
        );
      return { ...tls, checkServerIdentity };
    case 'verify-full':
      return { ...tls };
    default:
      throw new DatabaseUrlError(
        `the database URL has ${/^[\w-]{1,20}$/.test(mode) ? `sslmode=${mode}` : 'another sslmode'}: expected disable, require, verify-ca or verify-full`,
      );
  }
}

/** Accepts any name: the chain has been checked before. */
const checkServerIdentity = () => undefined;
