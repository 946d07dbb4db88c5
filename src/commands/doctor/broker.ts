import { type BrokerConnection, type OpenResult, openConnection } from '../../broker/connect.ts';
import { checkTopology } from '../../broker/declare.ts';
import { billedHealth } from '../../broker/health/billed.ts';
import { bindingsHealth, withRouting } from '../../broker/health/bindings.ts';
import { alarmHealth, brokerHealth } from '../../broker/health/broker.ts';
import { type Health, withoutManagement } from '../../broker/health/health.ts';
import { lagHealth } from '../../broker/health/lag.ts';
import { type Managed, readManaged } from '../../broker/health/managed.ts';
import { nodesHealth, quorumHealth } from '../../broker/health/nodes.ts';
import { permissionsHealth } from '../../broker/health/permissions.ts';
import { policiesHealth } from '../../broker/health/policies.ts';
import { type Routing, readRouting } from '../../broker/health/routing.ts';
import { defaultNames, type FeedExchange, type TopologyNames } from '../../broker/topology.ts';
import type { Config } from '../../config.ts';
import { type BrokerConfig, brokerOf } from '../../connections.ts';
import { feedsBeside } from '../../sources-file.ts';
import { connectionSettings, managementOf, withHint } from '../broker.ts';
import { certificatesOf, examineCertificates } from './certificates.ts';
import { type Check, checked } from './check.ts';

export const brokerSettings = [
  'AMQP_MANAGEMENT_URL',
  'DELIVERY_LIMIT',
  'SOURCES_FILE',
  'BILLED_EXCHANGE',
] as const;

type BrokerChecksConfig = BrokerConfig & Pick<Config, (typeof brokerSettings)[number]>;

/** What the checks of one run share. */
interface Examined {
  connection: BrokerConnection;
  names: TopologyNames;
  feeds: readonly FeedExchange[];
  managed: Managed;
  routing: Routing;
}

/** The checks of the broker. What AMQP alone does not tell is asked of the management API. */
export async function examineBroker(config: BrokerChecksConfig): Promise<Check[]> {
  const { urls, tls } = brokerOf(config);
  const open = (url: string) => openConnection({ ...connectionSettings('doctor'), tls, url });
  const { management, vhost } = managementOf(config);
  const names = { ...defaultNames, deliveryLimit: config.DELIVERY_LIMIT };
  const [managed, routing, ...opened] = await Promise.all([
    readManaged(management, vhost, names),
    readRouting(management, vhost),
    ...urls.map(async (url) => ({ url, result: await open(url) })),
  ]);
  try {
    const first = opened.find(({ result }) => result.kind === 'open');
    const brokers = opened.map(({ url, result }) => ({ check: 'broker', ...reached(result, url) }));
    const connection = first?.result.kind === 'open' ? first.result.connection : undefined;
    const feeds = feedsBeside(config.BILLED_EXCHANGE, config.SOURCES_FILE).map(({ spec }) => spec);
    const nodes = { check: 'nodes', ...nodesHealth(managed) };
    const certificates = examineCertificates(
      certificatesOf("the broker's certificate", connection?.certificate, tls),
      Date.now(),
    );
    if (first === undefined || connection === undefined)
      return [...brokers, nodes, ...certificates, ...unreached(config.BILLED_EXCHANGE, names, managed)];
    const alarms = await checked('alarms', async () => {
      const own = await open(first.url);
      return own.kind === 'open' ? await alarmHealth(own.connection) : reached(own, first.url);
    });
    const examined = { connection, names, feeds, managed, routing };
    return [
      ...brokers,
      nodes,
      ...certificates,
      alarms,
      ...(await examineTopology(examined, alarms)),
      ...(await examineBilled(examined, config.BILLED_EXCHANGE)),
      ...(await examineQueues(examined)),
    ];
  } finally {
    await Promise.all(
      opened.map(async ({ result }) => result.kind === 'open' && (await result.connection.close())),
    );
  }
}

function reached(result: OpenResult, url: string): Health {
  return result.kind === 'failed'
    ? { state: 'failed', detail: withHint(result.problem, result.cause) }
    : brokerHealth(result.connection, url);
}

const skipped: Health = { state: 'unknown', detail: 'skipped: broker unreachable' };

/** The checks without a connection, in the same order. */
function unreached(billedExchange: string, names: TopologyNames, managed: Managed): Check[] {
  const over = [
    'alarms',
    'topology',
    'permissions',
    'bindings',
    ...(billedExchange === '' ? [] : ['billed']),
  ];
  return [
    ...over.map((check) => ({ check, ...skipped })),
    { check: 'policies', ...policiesHealth(managed, names) },
    { check: 'quorum', ...quorumHealth(managed) },
    ...[names.queue, names.deadQueue].map(() => ({ check: 'lag', ...skipped })),
  ];
}

async function examineTopology(examined: Examined, alarms: Health): Promise<Check[]> {
  const { connection, names, feeds, routing } = examined;
  return [
    await checked('topology', () => topologyHealth(examined)),
    await checked('permissions', async () =>
      alarms.state === 'failed'
        ? { state: 'unknown', detail: 'skipped: an alarm blocks publishers; run it again when that is over' }
        : await permissionsHealth(connection, names),
    ),
    { check: 'bindings', ...bindingsHealth(routing, names, feeds) },
  ];
}

/** Nothing where nobody is to be told what calls were charged. */
async function examineBilled({ connection, routing }: Examined, exchange: string): Promise<Check[]> {
  if (exchange === '') return [];
  return [await checked('billed', () => billedHealth(connection, exchange, routing))];
}

async function examineQueues({ connection, names, managed }: Examined): Promise<Check[]> {
  const lagOf = (queue: string) =>
    checked('lag', () => lagHealth(connection, queue, managed, Date.now() / 1000));
  return [
    { check: 'policies', ...policiesHealth(managed, names) },
    { check: 'quorum', ...quorumHealth(managed) },
    await lagOf(names.queue),
    await lagOf(names.deadQueue),
  ];
}

async function topologyHealth({ connection, names, feeds, managed, routing }: Examined): Promise<Health> {
  const found = await checkTopology(connection, names, feeds);
  const reports = withRouting(found, routing, names, feeds).filter(
    ({ object }) => !object.startsWith('binding'),
  );
  const isOld = reports.some(({ state }) => state === 'old form');
  const problems = reports.flatMap(({ ok, problem }) => (ok || problem === null ? [] : [problem]));
  if (problems.length > 0)
    return { state: 'failed', detail: `${problems.join('; ')}${isOld ? '' : '. Run "cdr-ingest topology"'}` };
  const otherwise = reports
    .flatMap(({ object, state, problem }) => (state === 'as found' ? [`; ${object}: ${problem}`] : []))
    .join('');
  const isUnchecked = reports.some(({ state, problem }) => state === 'ok' && problem !== null);
  const count = `${reports.length} exchanges and queues`;
  // With it, the check of policies has looked at the arguments of the queues.
  if (isUnchecked && managed.kind === 'unmanaged')
    return {
      state: 'unknown',
      detail: `${count} exist${otherwise}; skipped: their arguments, which this user may not check; ${withoutManagement(managed.why)}`,
    };
  return { state: 'ok', detail: `${count} ${isUnchecked ? 'exist' : 'ok'}${otherwise}` };
}
