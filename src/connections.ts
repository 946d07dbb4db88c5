import { createSecureContext } from 'node:tls';
import { type Config, ConfigError } from './config.ts';

/** What every command reads that connects to the database. */
export const databaseVariables = [
  'DATABASE_URL',
  'DATABASE_TLS_CA',
  'DATABASE_TLS_CERT',
  'DATABASE_TLS_KEY',
] as const;

/** What every command reads that connects to the broker. */
export const brokerVariables = ['AMQP_URL', 'AMQP_TLS_CA', 'AMQP_TLS_CERT', 'AMQP_TLS_KEY'] as const;

/** Certificates of a TLS connection, as PEM text. */
export interface Certificates {
  ca?: string;
  cert?: string;
  key?: string;
}

/** Where the database is and how it is trusted. Throws ConfigError for certificates that do not fit together. */
export function databaseOf(config: Pick<Config, (typeof databaseVariables)[number]>) {
  const { DATABASE_TLS_CA: ca, DATABASE_TLS_CERT: cert, DATABASE_TLS_KEY: key } = config;
  return { url: config.DATABASE_URL, ...tlsOf('DATABASE_TLS', ca, cert, key) };
}

/**
 * Where the broker is and how it is trusted. Throws ConfigError for certificates that do not fit together, or that
 * no connection would use.
 */
export function brokerOf(config: Pick<Config, (typeof brokerVariables)[number]>) {
  const { AMQP_URL: urls, AMQP_TLS_CA: ca, AMQP_TLS_CERT: cert, AMQP_TLS_KEY: key } = config;
  const tls = tlsOf('AMQP_TLS', ca, cert, key);
  // The client library would take some parameters for itself and ignore others, those of TLS among them.
  if (
    urls
      .map((url) => new URL(url))
      .some(({ search, hash, pathname }) => search !== '' || hash !== '' || /[/@]/.test(pathname.slice(1)))
  )
    throw new ConfigError(
      'AMQP_URL: expected amqp://user:password@host:5672/vhost without parameters (in names write %3F, %23, %2F, %40), got more (not shown)',
    );
  if (tls.tls !== undefined && !urls.every((url) => url.startsWith('amqps:')))
    throw new ConfigError(
      'AMQP_URL: expected amqps:// because AMQP_TLS_… is set, got amqp:// (not encrypted)',
    );
  return { urls, ...tls };
}

function tlsOf(
  prefix: 'DATABASE_TLS' | 'AMQP_TLS',
  ca: string | undefined,
  cert: string | undefined,
  key: string | undefined,
): { tls?: Certificates } {
  if (cert !== undefined && key === undefined)
    throw new ConfigError(`${prefix}_KEY is missing: expected the key of ${prefix}_CERT`);
  if (key !== undefined && cert === undefined)
    throw new ConfigError(`${prefix}_CERT is missing: expected the certificate of ${prefix}_KEY`);
  if (ca === undefined && cert === undefined) return {};
  const tls = { ...(ca && { ca }), ...(cert && { cert }), ...(key && { key }) };
  try {
    createSecureContext(tls);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new ConfigError(`${prefix}_…: expected certificates and the key of one of them, got: ${reason}`);
  }
  return { tls };
}
