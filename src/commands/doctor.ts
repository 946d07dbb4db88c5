import type { Command } from 'commander';
import { type BrokerConnection, openConnection } from '../broker/connect.ts';
import {
  bindingsHealth,
  type Health,
  lagHealth,
  type Managed,
  nodesHealth,
  quorumHealth,
  readManaged,
} from '../broker/health/health.ts';
import { managementUrlOf, openManagement } from '../broker/health/management.ts';
import { permissionsHealth } from '../broker/health/permissions.ts';
import { policiesHealth } from '../broker/health/policies.ts';
import { checkTopology, defaultNames, type TopologyNames } from '../broker/topology.ts';
import { type Config, readConfig } from '../config.ts';
import { brokerOf, brokerVariables, databaseOf, databaseVariables } from '../connections.ts';
import { within } from '../retry.ts';
import { examineDatabase } from './doctor-database.ts';
import { printJson, printLine } from './print.ts';

const TIMEOUT_MS = 10_000;
const HEARTBEAT_SECONDS = 10;

const doctorVariables = [
  ...databaseVariables,
  ...brokerVariables,
  'AMQP_MANAGEMENT_URL',
  'DELIVERY_LIMIT',
] as const;
type DoctorConfig = Pick<Config, (typeof doctorVariables)[number]>;

type Check = Health & { check: string };

/** `doctor`: one line for each check, exits 1 if any failed. What cannot be looked at is said and fails nothing. */
export function registerDoctor(program: Command): void {
  program
    .command('doctor')
    .description('checks broker, database, schema, topology, policies, replication, lag and clock')
    .option('--json', 'prints the checks as JSON')
    .action(async ({ json }: { json?: boolean }) => {
      const config = readConfig(doctorVariables);
      const checks = [...(await examineBroker(config)), ...(await examineDatabase(databaseOf(config)))];
      if (json) printJson(checks);
      else
        for (const { check, state, detail } of checks)
          printLine(`${state.padEnd(7)}  ${check.padEnd(11)}  ${detail}`);
      process.exitCode = checks.some(({ state }) => state === 'failed') ? 1 : 0;
    });
}

async function examineBroker(config: DoctorConfig): Promise<Check[]> {
  const { urls, tls } = brokerOf(config);
  const names = { ...defaultNames, deliveryLimit: config.DELIVERY_LIMIT };
  const options = { name: 'cdr-ingest doctor', heartbeatSeconds: HEARTBEAT_SECONDS, tls };
  const opened = await Promise.all(
    urls.map((url) => openConnection({ ...options, url, connectTimeoutMs: TIMEOUT_MS })),
  );
  const connections = opened.flatMap((result) => (result.kind === 'open' ? [result.connection] : []));
  try {
    const [first = ''] = urls;
    const ask = openManagement(config.AMQP_MANAGEMENT_URL || managementUrlOf(first), tls);
    const managed = await readManaged(ask, vhostOf(first), names);
    return [
      ...opened.map(
        (result): Check =>
          result.kind === 'open'
            ? { check: 'broker', state: 'ok', detail: described(result.connection) }
            : { check: 'broker', state: 'failed', detail: `${result.problem} (${MENDS[result.cause]})` },
      ),
      { check: 'nodes', ...nodesHealth(managed) },
      ...(await examineQueues(connections[0], names, managed)),
    ];
  } finally {
    await Promise.all(connections.map((connection) => connection.close()));
  }
}

/** What an operator does about a broker that lets nobody in. */
const MENDS = {
  credentials: 'AMQP_URL: another user or password, or rabbitmqctl change_password',
  vhost: 'rabbitmqctl add_vhost and set_permissions, or another path in AMQP_URL',
  tls: 'AMQP_TLS_CA: the authority of its certificate',
  unreachable: 'AMQP_URL must lead to a RabbitMQ that is running',
} as const;

const described = ({ broker, serverVersion }: BrokerConnection) => `${broker}, RabbitMQ ${serverVersion}`;

function vhostOf(url: string): string {
  return decodeURIComponent(new URL(url).pathname.slice(1)) || '/';
}

async function examineQueues(
  connection: BrokerConnection | undefined,
  names: TopologyNames,
  managed: Managed,
): Promise<Check[]> {
  const unreached: Health = { state: 'unknown', detail: 'not looked at: the broker cannot be reached' };
  const lagOf = async (queue: string) =>
    connection === undefined
      ? unreached
      : lagHealth(queue, await depthOf(connection, queue), managed, Date.now() / 1000);
  return [
    {
      check: 'topology',
      ...(connection === undefined ? unreached : await topologyHealth(connection, names)),
    },
    {
      check: 'permissions',
      ...(connection === undefined ? unreached : await permissionsHealth(connection, names)),
    },
    { check: 'bindings', ...bindingsHealth(managed, names) },
    { check: 'policies', ...policiesHealth(managed, names) },
    { check: 'quorum', ...quorumHealth(managed) },
    { check: 'lag', ...(await lagOf(names.queue)) },
    { check: 'lag', ...(await lagOf(names.deadQueue)) },
  ];
}

async function topologyHealth(connection: BrokerConnection, names: TopologyNames): Promise<Health> {
  const reports = (await checkTopology(connection, names)).filter(
    ({ object }) => !object.startsWith('binding'),
  );
  const problems = reports.flatMap(({ ok, problem }) => (ok || problem === null ? [] : [problem]));
  if (problems.length > 0)
    return { state: 'failed', detail: `${problems.join('; ')}. Run "cdr-ingest topology"` };
  const unchecked = reports.filter(({ problem }) => problem !== null).length;
  const but = unchecked === 0 ? 'as they should be' : 'exist; this user may not check the arguments of all';
  return { state: 'ok', detail: `${reports.length} exchanges and queues ${but}` };
}

/** Null where the queue does not exist. */
async function depthOf(connection: BrokerConnection, queue: string) {
  const channel = await connection.openChannel();
  // A missing queue closes the channel; without a listener it would take the connection along.
  channel.on('error', () => {});
  try {
    const { messageCount, consumerCount } = await within(
      channel.checkQueue(queue),
      TIMEOUT_MS,
      `the answer about ${queue}`,
    );
    return { ready: messageCount, consumers: consumerCount };
  } catch {
    return null;
  }
}
