/** A database URL that cannot be used. The message never shows the URL, which holds a password. */
export class DatabaseUrlError extends Error {}

/** The parts of a database URL. */
export interface DatabaseUrl {
  /** A name, an address, or the directory of a socket, which begins with a slash. */
  host: string;
  port: number;
  /** Undefined: the driver's default. */
  user: string | undefined;
  password: string | undefined;
  database: string | undefined;
  sslmode: string | undefined;
  options: string | undefined;
  applicationName: string | undefined;
}

const EXPECTED = 'expected postgresql://user:password@host:5432/database';
/** The supported parameters. A driver that was given the URL itself would take others too, and they would override options. */
const PARAMETERS = ['sslmode', 'options', 'application_name', 'host', 'schema'];
/** Parameters of libpq, drivers and Prisma, which messages may name; any other text may be part of a password. */
const NAMEABLE =
  /^(ssl|ssl_?(mode|negotiation|compression|password|crl|crldir|cert|key|rootcert|sni|accept|identity|(min|max)_protocol_version)|host(addr)?|port|user|password|passfile|dbname|db|database|schema|options|encoding|client_encoding|binary|replication|(fallback_)?application_name|connect_timeout|connection_limit|pool_timeout|socket_timeout|max_idle_connection_lifetime|pgbouncer|statement_cache_size|statement_timeout|lock_timeout|query_timeout|idle_in_transaction_session_timeout|keepalives(_\w{1,12})?|tcp_user_timeout|channel_binding|require_auth|gss\w{0,12}|krbsrvname|target_session_attrs|load_balance_hosts|service|requirepeer|requiressl|uselibpqcompat|sslcertmode)$/i;

/** Reads a database URL. Throws DatabaseUrlError for anything that it does not understand, so that nothing is ignored. */
export function readDatabaseUrl(text: string): DatabaseUrl {
  if (!URL.canParse(text)) throw new DatabaseUrlError(`the database URL cannot be read: ${EXPECTED}`);
  const url = new URL(text);
  if (url.protocol !== 'postgresql:' && url.protocol !== 'postgres:')
    throw new DatabaseUrlError(`the database URL is not one of PostgreSQL: ${EXPECTED}`);
  if (url.hash !== '' || /[/@]/.test(url.pathname.slice(1)))
    throw new DatabaseUrlError('the database URL has a #, / or @ in a wrong place: write %23, %2F and %40');
  const parameters = parametersOf(url);
  const schema = parameters.get('schema') ?? 'public';
  if (schema !== 'public')
    throw new DatabaseUrlError('the database URL names a schema: only public is supported');
  return {
    host: hostOf(url, parameters.get('host')),
    port: url.port === '' ? 5432 : Number(url.port),
    user: decoded(url.username) || undefined,
    password: decoded(url.password) || undefined,
    database: decoded(url.pathname.slice(1)) || undefined,
    sslmode: parameters.get('sslmode'),
    options: parameters.get('options'),
    applicationName: parameters.get('application_name'),
  };
}

/** Parameters of libpq that name files: certificates have variables of their own. */
const FILES = /^ssl(rootcert|cert|key)$/i;

function parametersOf({ searchParams }: URL): Map<string, string> {
  const parameters = new Map<string, string>();
  for (const [name, value] of searchParams) {
    const shown = NAMEABLE.test(name) ? name : 'a parameter of another name';
    if (FILES.test(name))
      throw new DatabaseUrlError(
        `the database URL has ${shown}: give certificates in DATABASE_TLS_CA, _CERT and _KEY`,
      );
    if (!PARAMETERS.includes(name))
      throw new DatabaseUrlError(`the database URL has ${shown}: expected only ${PARAMETERS.join(', ')}`);
    if (parameters.has(name))
      throw new DatabaseUrlError(`the database URL has ${shown} twice: expected it once`);
    parameters.set(name, value);
  }
  return parameters;
}

/** The parameter `host` is for sockets only: beside a host in its place it would be ambiguous. */
function hostOf({ hostname }: URL, given: string | undefined): string {
  const host = decoded(hostname).replace(/^\[(.*)\]$/, '$1');
  if (host.includes(',')) throw new DatabaseUrlError('the database URL names several hosts: expected one');
  if (given === undefined) return host || 'localhost';
  if (host === '' && given.startsWith('/')) return given;
  throw new DatabaseUrlError('the database URL has host: expected it in its place, before the database');
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw new DatabaseUrlError('the database URL has a % that is not %25: percent-encode user and password');
  }
}
