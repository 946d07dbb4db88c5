import * as z from 'zod';
import { lateCallRules } from '../domain/charge.ts';
import { isContractName } from '../domain/secrets.ts';
import {
  bytes,
  certificates,
  type Form,
  isNetwork,
  isOthersExchange,
  list,
  milliseconds,
  pattern,
  port,
  privateKey,
  urlOf,
  wholeNumber,
} from './forms.ts';

export interface Variable<Schema extends z.ZodType> extends Form<Schema> {
  /** Used where the variable is unset or empty; null means that it is required. */
  fallback: string | null;
  description: string;
  secret?: true;
}

/** Keeps the schema's own type, from which the type of the value follows. */
function variable<Schema extends z.ZodType>(definition: Variable<Schema>): Variable<Schema> {
  return definition;
}

/** Every variable that any command reads. Help texts and docs/configuration.md come from this table. */
export const variables = {
  DATABASE_URL: variable({
    schema: urlOf('postgresql:', 'postgres:'),
    fallback: null,
    expected: 'postgresql://user:password@host:5432/database',
    description: 'The PostgreSQL primary.',
    secret: true,
  }),
  AMQP_URL: variable({
    schema: list().pipe(z.array(urlOf('amqp:', 'amqps:')).min(1)),
    fallback: null,
    expected: 'amqp://user:password@host:5672/vhost, or several separated by commas',
    description: 'The RabbitMQ node, or the nodes of its cluster.',
    secret: true,
  }),
  DATABASE_TLS_CA: variable({
    ...certificates(),
    fallback: '',
    description: 'Trusted CA certificates for PostgreSQL.',
  }),
  DATABASE_TLS_CERT: variable({
    ...certificates(),
    fallback: '',
    description: 'Client certificate for PostgreSQL.',
  }),
  DATABASE_TLS_KEY: variable({
    ...privateKey(),
    fallback: '',
    description: 'Private key of DATABASE_TLS_CERT.',
    secret: true,
  }),
  AMQP_TLS_CA: variable({
    ...certificates(),
    fallback: '',
    description: 'Trusted CA certificates for RabbitMQ.',
  }),
  AMQP_TLS_CERT: variable({
    ...certificates(),
    fallback: '',
    description: 'Client certificate for RabbitMQ.',
  }),
  AMQP_TLS_KEY: variable({
    ...privateKey(),
    fallback: '',
    description: 'Private key of AMQP_TLS_CERT.',
    secret: true,
  }),
  AMQP_MANAGEMENT_URL: variable({
    schema: z.union([z.literal(''), urlOf('http:', 'https:')]),
    fallback: '',
    expected: 'http://user:password@host:15672',
    description:
      'RabbitMQ management API, for `doctor` and `topology`. If unset, the default port on the host of AMQP_URL.',
    secret: true,
  }),
  SYSTEM_CURRENCY: variable({
    schema: z.string().regex(/^[A-Z]{3}$/),
    fallback: 'USD',
    expected: 'three capital letters, such as USD',
    description: 'Currency of calls that name none, and of the flat part of taxes that have none.',
  }),
  OPEN_INVOICE_STATUSES: variable({
    schema: list().pipe(z.array(z.string().regex(/^\S+$/)).min(1)),
    fallback: 'open',
    expected: 'words without blanks, separated by commas',
    description:
      'Words of invoices.status, written exactly so, that mean that an invoice may take calls. Give every process the same.',
  }),
  LATE_CALLS: variable({
    schema: z.enum(lateCallRules),
    fallback: 'hold',
    expected: 'hold or next',
    description:
      "What becomes of a call for an invoice when no open one covers its start: `hold` stores it on none (`invoice late`), `next` puts it on the customer's next open invoice. Give every process the same.",
  }),
  HTTP_HOST: variable({
    schema: z.string().regex(/^[\w.:-]{0,255}$/),
    fallback: '',
    expected: 'an address of this machine, such as 127.0.0.1',
    description: 'Address of /livez, /readyz and /metrics. If unset, all addresses.',
  }),
  HTTP_PORT: variable({
    ...port(),
    fallback: '8080',
    description: 'Port of /livez, /readyz and /metrics. 0 picks a free port.',
  }),
  CONSOLE_HOST: variable({
    schema: z.string().regex(/^[\w.:-]{1,255}$/),
    fallback: '127.0.0.1',
    expected: 'an address of this machine, such as 0.0.0.0 for all',
    description: 'Address of the console. To serve other machines, put a TLS proxy in front of it.',
  }),
  CONSOLE_TRUSTED_PROXIES: variable({
    schema: list().pipe(z.array(z.string().refine(isNetwork))),
    fallback: '',
    expected: 'addresses or networks such as 10.0.0.0/8, separated by commas',
    description: 'Proxies whose X-Forwarded-For and X-Forwarded-Proto the console trusts.',
  }),
  CONSOLE_PORT: variable({
    ...port(),
    fallback: '8081',
    description: 'Port of the console. 0 picks a free port.',
  }),
  LOG_LEVEL: variable({
    schema: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']),
    fallback: 'info',
    expected: 'trace, debug, info, warn, error, fatal or silent',
    description: 'Minimum log level.',
  }),
  CDR_USERNAME: variable({
    schema: z.string(),
    fallback: '',
    expected: 'a username',
    description: 'Username: a `system` user for `publish`, an `operator` for `dead`, `call` and `invoice`.',
  }),
  CDR_PASSWORD: variable({
    schema: z.string(),
    fallback: '',
    expected: 'a password',
    description: 'Password of CDR_USERNAME.',
    secret: true,
  }),
  IGNORED_PARAMETERS: variable({
    schema: list().pipe(
      z.array(
        z
          .string()
          .regex(/^[^*]+\*?$/)
          .refine((name) => !isContractName(name)),
      ),
    ),
    fallback: '',
    expected: 'names beyond the contract, or how they begin (x_*), separated by commas',
    description:
      'Parameters beyond the contract that switches may send. They are neither read nor stored. `x_*` means every name that begins with x_, except those of the contract.',
  }),
  SOURCES_FILE: variable({
    schema: z.string(),
    fallback: '',
    expected: 'the path of a sources file',
    description: 'Feeds of switches that do not speak the contract (docs/sources.md).',
  }),
  REPLY_TO_ALLOW: variable({
    schema: z.string().transform(pattern),
    fallback: '^(amq\\.|cdrs\\.reply\\.|kamailio-)',
    expected: 'a regular expression',
    description: 'Allowed reply_to values. Other replies go to cdrs.results.',
  }),
  BILLED_EXCHANGE: variable({
    schema: z.string().refine((name) => name === '' || isOthersExchange(name)),
    fallback: '',
    expected:
      "the name of an exchange, none of this system's (cdrs, cdrs.…) and none of the broker's (amq.…)",
    description:
      'Exchange to which the worker publishes what each stored call and each correction was charged. It must exist and have a queue bound. If unset, nothing is published.',
  }),
  MAX_BODY_BYTES: variable({
    ...bytes(1024, 16_777_216),
    fallback: '65536',
    description: 'Maximum size of a message body. Larger messages are refused.',
  }),
  KEPT_BODY_BYTES: variable({
    ...bytes(256, 1_048_576),
    fallback: '4096',
    description: 'How much a dead letter keeps of an unreadable body. Readable calls are kept whole.',
  }),
  BATCH_SIZE: variable({
    ...wholeNumber(1, 5000),
    fallback: '500',
    description: 'Maximum calls per transaction. A batch is what has arrived; it never waits to fill.',
  }),
  PREFETCH: variable({
    ...wholeNumber(1, 20_000),
    fallback: '1500',
    description: 'Maximum unacknowledged messages per worker.',
  }),
  DELIVERY_LIMIT: variable({
    ...wholeNumber(1, 1000),
    fallback: '20',
    description: 'Deliveries after which the broker moves a message to cdrs.dead.',
  }),
  DATABASE_POOL: variable({
    ...wholeNumber(1, 100),
    fallback: '4',
    description: 'Database connections per process. Keep replicas × pool below max_connections.',
  }),
  STATEMENT_TIMEOUT_MS: variable({
    ...milliseconds(100, 600_000),
    fallback: '15000',
    description: 'Statement timeout. A statement that takes longer counts as a database outage.',
  }),
  LOCK_TIMEOUT_MS: variable({
    ...milliseconds(10, 600_000),
    fallback: '250',
    description:
      'How long a statement waits for a row lock. A call whose row is locked for longer moves to the waiting list; others continue.',
  }),
  ROW_WAIT_MS: variable({
    ...milliseconds(100, 1_200_000),
    fallback: '600000',
    description:
      'How long a call waits for a row that another program holds. Then it becomes a dead letter, which is retried automatically once the row is free.',
  }),
  CONFIRM_TIMEOUT_MS: variable({
    ...milliseconds(100, 600_000),
    fallback: '10000',
    description: 'How long to wait for the broker to confirm a reply before sending it again.',
  }),
  OUTAGE_RETURN_MS: variable({
    ...milliseconds(1000, 1_500_000),
    fallback: '30000',
    description: 'After a database outage this long, requeue unacknowledged deliveries (once per outage).',
  }),
  SHUTDOWN_GRACE_MS: variable({
    ...milliseconds(1000, 600_000),
    fallback: '25000',
    description: 'How long a worker drains after SIGTERM. The rest stays unacknowledged and is redelivered.',
  }),
} as const;
