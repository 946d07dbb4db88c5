import { type BrokerConnection, ConnectError, type FailureCause, openFirst } from '../broker/connect.ts';
import { type Management, managementUrlOf, openManagement } from '../broker/health/management.ts';
import { describeError } from '../broker/log.ts';
import { openSwitchClient, type SwitchClient } from '../broker/switch-client.ts';
import { defaultNames } from '../broker/topology.ts';
import type { Config } from '../config.ts';
import { type BrokerConfig, brokerOf } from '../connections.ts';
import { CommandError, isExplained } from './exit.ts';

const CONNECT_TIMEOUT_MS = 10_000;
const HEARTBEAT_SECONDS = 10;

/** @param name the command, as the broker shows it behind "cdr-ingest" */
export function connectionSettings(name: string) {
  return {
    name: `cdr-ingest ${name}`,
    heartbeatSeconds: HEARTBEAT_SECONDS,
    connectTimeoutMs: CONNECT_TIMEOUT_MS,
  };
}

/**
 * Does the work on a connection to the first broker of AMQP_URL that lets this user in, and closes it. A failure of the
 * broker becomes a CommandError of one line.
 */
export async function withBroker<Result>(
  config: BrokerConfig,
  name: string,
  work: (connection: BrokerConnection) => Promise<Result>,
): Promise<Result> {
  const open = () => openFirst({ ...brokerOf(config), ...connectionSettings(name) });
  return await using(open, work);
}

/** RabbitMQ's management API and the virtual host of AMQP_URL, as the API names it. */
export function managementOf(config: BrokerConfig & Pick<Config, 'AMQP_MANAGEMENT_URL'>): {
  management: Management;
  vhost: string;
} {
  const { urls, tls } = brokerOf(config);
  const [first = ''] = urls;
  return {
    management: openManagement(config.AMQP_MANAGEMENT_URL || managementUrlOf(first), tls),
    vhost: decodeURIComponent(new URL(first).pathname.slice(1)) || '/',
  };
}

/** The same for a client that submits calls as a switch does, to `cdrs` or to the exchange of a feed. */
export async function withSwitchClient<Result>(
  config: BrokerConfig,
  replyTimeoutMs: number,
  work: (client: SwitchClient) => Promise<Result>,
  exchange: string = defaultNames.exchange,
): Promise<Result> {
  const { urls, tls } = brokerOf(config);
  return await using(() => openSwitchClient(urls, exchange, replyTimeoutMs, tls), work);
}

async function using<Resource extends { close: () => Promise<void> }, Result>(
  open: () => Promise<Resource>,
  work: (resource: Resource) => Promise<Result>,
): Promise<Result> {
  try {
    const resource = await open();
    try {
      return await work(resource);
    } finally {
      await resource.close();
    }
  } catch (error) {
    throw isExplained(error) ? error : new CommandError(brokerProblem(error), { cause: error });
  }
}

/** What is wrong with the broker and what to do about it, in one line. */
function brokerProblem(error: unknown): string {
  const problem = describeError(error);
  return error instanceof ConnectError ? withHint(problem, error.reason) : problem;
}

const HINTS: Record<FailureCause, string> = {
  credentials: 'check user and password in AMQP_URL, or set them with rabbitmqctl change_password',
  vhost: 'check the path in AMQP_URL, or use rabbitmqctl add_vhost and set_permissions',
  tls: "AMQP_TLS_CA must have the CA of the broker's certificate",
  unreachable: 'AMQP_URL must lead to a running RabbitMQ: amqp://user:password@host:5672/vhost',
};

/** A problem of a broker with what to do about it. */
export function withHint(problem: string, cause: FailureCause): string {
  return `${problem}; ${HINTS[cause]}`;
}
