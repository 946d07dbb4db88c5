import { createSecureContext } from 'node:tls';
import { type Config, ConfigError } from './config.ts';

/** The variables of every command that connects to the database. */
export const databaseVariables = [
  'DATABASE_URL',
  'DATABASE_TLS_CA',
  'DATABASE_TLS_CERT',
  'DATABASE_TLS_KEY',
] as const;

/** The variables of every command that connects to the broker. */
export const brokerVariables = ['AMQP_URL', 'AMQP_TLS_CA', 'AMQP_TLS_CERT', 'AMQP_TLS_KEY'] as const;

export type DatabaseConfig = Pick<Config, (typeof databaseVariables)[number]>;
export type BrokerConfig = Pick<Config, (typeof brokerVariables)[number]>;

/** Certificates for a TLS connection, as PEM text. */
export interface Certificates {
  ca?: string;
  cert?: string;
  key?: string;
}

/** Address and certificates of the database. Throws ConfigError for certificates that do not match. */
export function databaseOf(config: DatabaseConfig) {
  const { DATABASE_TLS_CA: ca, DATABASE_TLS_CERT: cert, DATABASE_TLS_KEY: key } = config;
  return { url: config.DATABASE_URL, ...tlsOf('DATABASE_TLS', ca, cert, key) };
}

/**
 * Addresses and certificates of the broker. Throws ConfigError for certificates that do not match or would not be used,
 * and for a URL with parameters.
 */
export function brokerOf(config: BrokerConfig) {
  const { AMQP_URL: urls, AMQP_TLS_CA: ca, AMQP_TLS_CERT: cert, AMQP_TLS_KEY: key } = config;
  const tls = tlsOf('AMQP_TLS', ca, cert, key);
  if (urls.some(hasParameters))
    throw new ConfigError(
      'AMQP_URL: expected amqp://user:password@host:5672/vhost without parameters (in names write %3F, %23, %2F, %40), got more (not shown)',
    );
  if (tls.tls !== undefined && !urls.every((url) => url.startsWith('amqps:')))
    throw new ConfigError(
      'AMQP_URL: expected amqps:// because AMQP_TLS_… is set, got amqp:// (not encrypted)',
    );
  return { urls, ...tls };
}

/** amqplib would use some parameters itself and ignore others, those of TLS among them. */
function hasParameters(url: string): boolean {
  const { search, hash, pathname } = new URL(url);
  return search !== '' || hash !== '' || /[/@]/.test(pathname.slice(1));
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
