import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { z } from 'zod';
import { parameterNames } from './domain/contract.ts';

/** A wrong or missing variable: what was expected and what came, never a secret. */
export class ConfigError extends Error {}

interface Variable<Schema extends z.ZodType> {
  schema: Schema;
  /** Used where the variable is missing or empty; null means it must be given. */
  fallback: string | null;
  expected: string;
  description: string;
  secret?: true;
}

function variable<Schema extends z.ZodType>(definition: Variable<Schema>): Variable<Schema> {
  return definition;
}

function urlOf(...protocols: string[]) {
  return z.string().refine((text) => URL.canParse(text) && protocols.includes(new URL(text).protocol));
}

function wholeNumber(min: number, max: number) {
  return z
    .string()
    .regex(/^\d{1,12}$/)
    .transform(Number)
    .refine((value) => value >= min && value <= max);
}

/** An address, or one with the length of its prefix. */
function isNetwork(text: string): boolean {
  const [, address = '', bits] = /^([^/]+)(?:\/(\d{1,3}))?$/.exec(text) ?? [];
  const family = isIP(address);
  return family !== 0 && (bits === undefined || Number(bits) <= (family === 6 ? 128 : 32));
}

function pattern(text: string, context: z.RefinementCtx): RegExp {
  try {
    return new RegExp(text, 'u');
  } catch {
    context.addIssue({ code: 'custom', message: 'not a regular expression' });
    return z.NEVER;
  }
}

function pemOf(label: string, what: string) {
  const isPem = (text: string) =>
    new RegExp(`-----BEGIN ${label}-----[\\s\\S]+-----END ${label}-----`).test(text);
  return {
    schema: z
      .string()
      .refine((text) => text === '' || isPem(text))
      .transform((text) => text || undefined),
    fallback: '',
    expected: `${what} in PEM form (a file is named by …_FILE)`,
  };
}
const certificates = pemOf('CERTIFICATE', 'certificates');
const privateKey = pemOf('(?:[A-Z]+ )?PRIVATE KEY', 'a private key without a passphrase');

const list = z.string().transform((text) =>
  text
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== ''),
);

/** Every variable that any command reads; docs/configuration.md is checked against this table. */
export const variables = {
  DATABASE_URL: variable({
    schema: urlOf('postgresql:', 'postgres:'),
    fallback: null,
    expected: 'postgresql://user:password@host:5432/database',
    description: 'The PostgreSQL primary.',
    secret: true,
  }),
  AMQP_URL: variable({
    schema: list.pipe(z.array(urlOf('amqp:', 'amqps:')).min(1)),
    fallback: null,
    expected: 'amqp://user:password@host:5672/vhost, or several separated by commas',
    description: 'The RabbitMQ node, or the members of its cluster.',
    secret: true,
  }),
  DATABASE_TLS_CA: variable({
    ...certificates,
    description: 'The authorities that the certificate of PostgreSQL must come from.',
  }),
  DATABASE_TLS_CERT: variable({
    ...certificates,
    description: 'The certificate that is shown to PostgreSQL.',
  }),
  DATABASE_TLS_KEY: variable({ ...privateKey, description: 'The key of DATABASE_TLS_CERT.', secret: true }),
  AMQP_TLS_CA: variable({
    ...certificates,
    description: 'The authorities that the certificate of RabbitMQ must come from.',
  }),
  AMQP_TLS_CERT: variable({ ...certificates, description: 'The certificate that is shown to RabbitMQ.' }),
  AMQP_TLS_KEY: variable({ ...privateKey, description: 'The key of AMQP_TLS_CERT.', secret: true }),
  AMQP_MANAGEMENT_URL: variable({
    schema: z.union([z.literal(''), urlOf('http:', 'https:')]),
    fallback: '',
    expected: 'http://user:password@host:15672',
    description:
      "RabbitMQ's management API, for doctor; without one, the usual port at the host of AMQP_URL.",
    secret: true,
  }),
  SYSTEM_CURRENCY: variable({
    schema: z.string().regex(/^[A-Z]{3}$/),
    fallback: 'USD',
    expected: 'three capital letters, such as USD',
    description: 'The currency of a call that names none, and of the flat part of taxes.',
  }),
  HTTP_HOST: variable({
    schema: z.string().regex(/^[\w.:-]{0,255}$/),
    fallback: '',
    expected: 'an address of this machine, such as 127.0.0.1',
    description: 'Where /livez, /readyz and /metrics are served; without one, on every address.',
  }),
  HTTP_PORT: variable({
    schema: wholeNumber(0, 65_535),
    fallback: '8080',
    expected: 'a port from 0 to 65535',
    description: 'Where /livez, /readyz and /metrics are served; 0 takes any free port.',
  }),
  CONSOLE_HOST: variable({
    schema: z.string().regex(/^[\w.:-]{1,255}$/),
    fallback: '127.0.0.1',
    expected: 'an address of this machine, such as 0.0.0.0 for all',
    description:
      'Where the console listens. Put a proxy with TLS in front of anything but this machine itself.',
  }),
  CONSOLE_TRUSTED_PROXIES: variable({
    schema: list.pipe(z.array(z.string().refine(isNetwork))),
    fallback: '',
    expected: 'addresses or networks such as 10.0.0.0/8, separated by commas',
    description:
      'Proxies before the console whose X-Forwarded-For and X-Forwarded-Proto are believed; nobody else is.',
  }),
  CONSOLE_PORT: variable({
    schema: wholeNumber(0, 65_535),
    fallback: '8081',
    expected: 'a port from 0 to 65535',
    description: 'The port of the console; 0 takes any free port.',
  }),
  LOG_LEVEL: variable({
    schema: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']),
    fallback: 'info',
    expected: 'trace, debug, info, warn, error, fatal or silent',
    description: 'The least severe log lines that are written.',
  }),
  CDR_USERNAME: variable({
    schema: z.string(),
    fallback: '',
    expected: 'a username',
    description: 'Who is at work: a `system` user for publish, an `operator` for dead.',
  }),
  CDR_PASSWORD: variable({
    schema: z.string(),
    fallback: '',
    expected: 'a password',
    description: 'The password of CDR_USERNAME.',
    secret: true,
  }),
  IGNORED_PARAMETERS: variable({
    schema: list.pipe(z.array(z.string().refine((name) => !(parameterNames as string[]).includes(name)))),
    fallback: '',
    expected: 'names beyond the contract, separated by commas',
    description: 'Parameters that a switch may send beyond the contract; they are neither read nor stored.',
  }),
  REPLY_TO_ALLOW: variable({
    schema: z.string().transform(pattern),
    fallback: '^(amq\\.|cdrs\\.reply\\.|kamailio-)',
    expected: 'a regular expression',
    description: 'What a reply_to must match; other replies go to cdrs.results.',
  }),
  MAX_BODY_BYTES: variable({
    schema: wholeNumber(1024, 16_777_216),
    fallback: '65536',
    expected: 'a number of bytes from 1024 to 16777216',
    description: 'A larger message is refused.',
  }),
  KEPT_BODY_BYTES: variable({
    schema: wholeNumber(256, 1_048_576),
    fallback: '4096',
    expected: 'a number of bytes from 256 to 1048576',
    description:
      'What a dead letter keeps of a body that cannot be read. Calls that can be read are kept whole.',
  }),
  BATCH_SIZE: variable({
    schema: wholeNumber(1, 5000),
    fallback: '500',
    expected: 'a whole number from 1 to 5000',
    description:
      'Calls that one transaction settles at most. Batches form from what has arrived; nothing waits for one to fill.',
  }),
  PREFETCH: variable({
    schema: wholeNumber(1, 20_000),
    fallback: '1500',
    expected: 'a whole number from 1 to 20000',
    description: 'Messages that the broker hands to one worker before the first is acknowledged.',
  }),
  DELIVERY_LIMIT: variable({
    schema: wholeNumber(1, 1000),
    fallback: '20',
    expected: 'a whole number from 1 to 1000',
    description: 'Deliveries after which the broker gives a message up to cdrs.dead.',
  }),
  DATABASE_POOL: variable({
    schema: wholeNumber(1, 100),
    fallback: '4',
    expected: 'a whole number from 1 to 100',
    description: 'Database connections of one worker. Replicas × pool must stay below max_connections.',
  }),
  STATEMENT_TIMEOUT_MS: variable({
    schema: wholeNumber(100, 600_000),
    fallback: '15000',
    expected: 'milliseconds from 100 to 600000',
    description: 'A statement that takes longer counts as an outage of the database.',
  }),
  LOCK_TIMEOUT_MS: variable({
    schema: wholeNumber(10, 600_000),
    fallback: '250',
    expected: 'milliseconds from 10 to 600000',
    description:
      'A statement that waits longer for a row is ended; where somebody else than a worker has the row, its calls wait beside the others from then on.',
  }),
  ROW_WAIT_MS: variable({
    schema: wholeNumber(100, 1_200_000),
    fallback: '600000',
    expected: 'milliseconds from 100 to 1200000',
    description:
      'A call waits so long in hand for a row that somebody else holds; then it is a dead letter, tried again by itself when the row is free.',
  }),
  CONFIRM_TIMEOUT_MS: variable({
    schema: wholeNumber(100, 600_000),
    fallback: '10000',
    expected: 'milliseconds from 100 to 600000',
    description: 'A reply that the broker has not confirmed by then is sent again.',
  }),
  OUTAGE_RETURN_MS: variable({
    schema: wholeNumber(1000, 1_500_000),
    fallback: '30000',
    expected: 'milliseconds from 1000 to 1500000',
    description:
      'An outage of the database that lasts longer gives the deliveries in hand back to the broker, once.',
  }),
  SHUTDOWN_GRACE_MS: variable({
    schema: wholeNumber(1000, 600_000),
    fallback: '25000',
    expected: 'milliseconds from 1000 to 600000',
    description: 'How long the worker drains after SIGTERM before it ends with what is left unacknowledged.',
  }),
} as const;

export type VariableName = keyof typeof variables;
type ValueOf<Name extends VariableName> = z.output<(typeof variables)[Name]['schema']>;
export type Config = { readonly [Name in VariableName]: ValueOf<Name> };
type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The variables that a command needs, validated and frozen. A secret may come from a file: `DATABASE_URL_FILE`
 * names it. Throws ConfigError naming every wrong variable, the expected form and, unless it is secret, the
 * value given.
 */
export function readConfig<Name extends VariableName>(
  names: readonly Name[],
  environment: Environment = process.env,
): Pick<Config, Name> {
  const problems: string[] = [];
  const entries = names.map((name) => {
    const { schema, fallback, expected, secret } = variables[name] as Variable<z.ZodType>;
    const given = textOf(name, environment);
    const text = given ?? fallback;
    if (text === null) {
      problems.push(`${name} is missing: expected ${expected}`);
      return [name, undefined];
    }
    const result = schema.safeParse(text);
    if (!result.success)
      problems.push(`${name}: expected ${expected}, got ${secret ? masked(text) : JSON.stringify(text)}`);
    return [name, result.data];
  });
  if (problems.length > 0) throw new ConfigError(problems.join('\n'));
  return Object.freeze(Object.fromEntries(entries)) as Pick<Config, Name>;
}

function textOf(name: string, environment: Environment): string | undefined {
  const direct = environment[name];
  const file = environment[`${name}_FILE`];
  if (direct !== undefined && direct !== '') return direct;
  if (file === undefined || file === '') return undefined;
  try {
    return readFileSync(file, 'utf8').trimEnd() || undefined;
  } catch {
    throw new ConfigError(`${name}_FILE: expected a file that can be read, got ${JSON.stringify(file)}`);
  }
}

/** A secret as an error shows it: its beginning up to the user, nothing of the rest. */
function masked(text: string): string {
  const scheme = /^[a-z+]{1,12}:\/\//i.exec(text)?.[0];
  return scheme === undefined ? 'something else (not shown)' : `"${scheme}…" (not shown)`;
}
