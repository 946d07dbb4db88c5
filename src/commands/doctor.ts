import type { Command } from 'commander';
import { billingVariables } from '../billing-rules.ts';
import { type BrokerConnection, type OpenResult, openConnection } from '../broker/connect.ts';
import { checkTopology } from '../broker/declare.ts';
import { readDepth } from '../broker/depth.ts';
import { billedHealth } from '../broker/health/billed.ts';
import { bindingsHealth, withRouting } from '../broker/health/bindings.ts';
import {
  type Health,
  lagHealth,
  type Managed,
  nodesHealth,
  quorumHealth,
  readManaged,
} from '../broker/health/health.ts';
import { permissionsHealth } from '../broker/health/permissions.ts';
import { policiesHealth } from '../broker/health/policies.ts';
import { type Routing, readRouting } from '../broker/health/routing.ts';
import { defaultNames, type FeedExchange, type TopologyNames } from '../broker/topology.ts';
import { type Config, readConfig } from '../config.ts';
import { brokerOf, brokerVariables, databaseVariables } from '../connections.ts';
import { feedsBeside } from '../sources-file.ts';
import { connectionSettings, managementOf, withHint } from './broker.ts';
import { examineDatabase } from './doctor-database.ts';
import { finish } from './exit.ts';
import { addUsage } from './help.ts';
import { printJson, printLine } from './print.ts';

const variables = [
  ...databaseVariables,
  ...brokerVariables,
  'AMQP_MANAGEMENT_URL',
  ...billingVariables,
  'DELIVERY_LIMIT',
  'SOURCES_FILE',
  'BILLED_EXCHANGE',
] as const;
type DoctorConfig = Pick<Config, (typeof variables)[number]>;

type Check = Health & { check: string };

/** `doctor`: one line for each check; exits 1 if any failed. A check that had to be skipped does not count as failed. */
export function registerDoctor(program: Command): void {
  const command = program
    .command('doctor')
    .description(
      'Check broker, database, schema, topology, policies, replication, lag, clocks and billing tables',
    )
    .option('--json', 'print the checks as JSON')
    .action(run);
  addUsage(command, {
    examples: ['cdr-ingest doctor', 'cdr-ingest doctor --json'],
    environment: variables,
  });
}

async function run({ json }: { json?: boolean }): Promise<void> {
  const config = readConfig(variables);
  const checks = [...(await examineBroker(config)), ...(await examineDatabase(config))];
  if (json) printJson(checks);
  else
    for (const { check, state, detail } of checks)
      printLine(`${state.padEnd(7)}  ${check.padEnd(11)}  ${detail}`);
  finish(!checks.some(({ state }) => state === 'failed'));
}

async function examineBroker(config: DoctorConfig): Promise<Check[]> {
  const feeds = feedsBeside(config.BILLED_EXCHANGE, config.SOURCES_FILE).map(({ spec }) => spec);
  const { urls, tls } = brokerOf(config);
  const names = { ...defaultNames, deliveryLimit: config.DELIVERY_LIMIT };
  const settings = { ...connectionSettings('doctor'), tls };
  const opened = await Promise.all(urls.map((url) => openConnection({ ...settings, url })));
  const connections = opened.flatMap((result) => (result.kind === 'open' ? [result.connection] : []));
  try {
    const { management, vhost } = managementOf(config);
    const managed = await readManaged(management, vhost, names);
    const routing = await readRouting(management, vhost);
    return [
      ...opened.map(brokerHealth),
      { check: 'nodes', ...nodesHealth(managed) },
      ...(await examineTopology(connections[0], names, feeds, routing)),
      ...(await examineBilled(connections[0], config.BILLED_EXCHANGE, routing)),
      ...(await examineQueues(connections[0], names, managed)),
    ];
  } finally {
    await Promise.all(connections.map((connection) => connection.close()));
  }
}

function brokerHealth(result: OpenResult): Check {
  if (result.kind === 'failed')
    return { check: 'broker', state: 'failed', detail: withHint(result.problem, result.cause) };
  const { broker, serverVersion } = result.connection;
  return { check: 'broker', state: 'ok', detail: `${broker}, RabbitMQ ${serverVersion}` };
}

const skipped: Health = { state: 'unknown', detail: 'skipped: broker unreachable' };

async function examineTopology(
  connection: BrokerConnection | undefined,
  names: TopologyNames,
  feeds: readonly FeedExchange[],
  routing: Routing,
): Promise<Check[]> {
  return [
    {
      check: 'topology',
      ...(connection === undefined ? skipped : await topologyHealth(connection, names, feeds, routing)),
    },
    {
      check: 'permissions',
      ...(connection === undefined ? skipped : await permissionsHealth(connection, names)),
    },
    { check: 'bindings', ...bindingsHealth(routing, names, feeds) },
  ];
}

/** Nothing where nobody is to be told what calls were charged. */
async function examineBilled(
  connection: BrokerConnection | undefined,
  exchange: string,
  routing: Routing,
): Promise<Check[]> {
  if (exchange === '') return [];
  const health = connection === undefined ? skipped : await billedHealth(connection, exchange, routing);
  return [{ check: 'billed', ...health }];
}

async function examineQueues(
  connection: BrokerConnection | undefined,
  names: TopologyNames,
  managed: Managed,
): Promise<Check[]> {
  const lagOf = async (queue: string) =>
    connection === undefined
      ? skipped
      : lagHealth(queue, await readDepth(connection, queue), managed, Date.now() / 1000);
  return [
    { check: 'policies', ...policiesHealth(managed, names) },
    { check: 'quorum', ...quorumHealth(managed) },
    { check: 'lag', ...(await lagOf(names.queue)) },
    { check: 'lag', ...(await lagOf(names.deadQueue)) },
  ];
}

async function topologyHealth(
  connection: BrokerConnection,
  names: TopologyNames,
  feeds: readonly FeedExchange[],
  routing: Routing,
): Promise<Health> {
  const found = await checkTopology(connection, names, feeds);
  const reports = withRouting(found, routing, names, feeds).filter(
    ({ object }) => !object.startsWith('binding'),
  );
  const isOld = reports.some(({ state }) => state === 'old form');
  const problems = reports.flatMap(({ ok, problem }) => (ok || problem === null ? [] : [problem]));
  if (problems.length > 0)
    return { state: 'failed', detail: `${problems.join('; ')}${isOld ? '' : '. Run "cdr-ingest topology"'}` };
  const otherwise = reports.flatMap(({ object, state, problem }) =>
    state === 'as found' ? [`; ${object}: ${problem}`] : [],
  );
  const unchecked = reports.some(({ state, problem }) => state === 'ok' && problem !== null);
  const note = `${unchecked ? 'exist; this user may not check the arguments of all' : 'ok'}${otherwise.join('')}`;
  return { state: 'ok', detail: `${reports.length} exchanges and queues ${note}` };
}
