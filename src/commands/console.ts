import type { Command } from 'commander';
import { billingRulesOf, billingVariables } from '../billing-rules.ts';
import { openOperatorPublisher } from '../broker/operator-publisher.ts';
import { QueueWatch } from '../broker/queue-watch.ts';
import { defaultNames } from '../broker/topology.ts';
import { placeThrough } from '../calls/order.ts';
import { type Config, ConfigError, readConfig } from '../config.ts';
import { brokerOf, brokerVariables, databaseVariables } from '../connections.ts';
import type { ConsoleContext } from '../console/context.ts';
import { createOverviewSource } from '../console/overview-source.ts';
import { serveConsole } from '../console/server.ts';
import { runDryRun } from '../dead-letters/dry-run.ts';
import { openReplayPublisher } from '../dead-letters/replay-publisher.ts';
import { runReplay } from '../dead-letters/run.ts';
import { InvalidInput } from '../input.ts';
import { type Log, logWarnings, openLog } from '../ops/logger.ts';
import { SampledLines } from '../ops/sampled-lines.ts';
import { feedsIn } from '../sources-file.ts';
import { type Database, describeFailure, expectAnswer } from '../store/database.ts';
import { Feeds } from '../worker/feeds.ts';
import { connectionSettings } from './broker.ts';
import { databaseProblem, withDatabase } from './database.ts';
import { EXIT } from './exit.ts';
import { addUsage } from './help.ts';
import { complain, isWatched } from './print.ts';
import { onStopSignal } from './signals.ts';

const variables = [
  ...databaseVariables,
  ...brokerVariables,
  ...billingVariables,
  'CONSOLE_HOST',
  'CONSOLE_PORT',
  'CONSOLE_TRUSTED_PROXIES',
  'LOG_LEVEL',
  'IGNORED_PARAMETERS',
  'SOURCES_FILE',
  'MAX_BODY_BYTES',
  'DATABASE_POOL',
] as const;
type ConsoleConfig = Pick<Config, (typeof variables)[number]>;

const STATEMENT_TIMEOUT_MS = 60_000;
/** A page does not wait longer for the broker. */
const BROKER_ANSWER_MS = 2_000;
/** Nor for a broker that does not take a correction, or a worker that does not book it; it is booked later then. */
const ORDER_ANSWER_MS = 5_000;
const NEVER = new AbortController().signal;

/** `console`: the dead letters as a web page, served by a process of its own. */
export function registerConsole(program: Command, version: string): void {
  const command = program
    .command('console')
    .description('Serve the dead letters as a web page for operators and viewers, until SIGTERM or SIGINT')
    .action(() => run(version));
  addUsage(command, {
    examples: ['cdr-ingest console', 'CONSOLE_PORT=9000 cdr-ingest console'],
    environment: variables,
  });
}

async function run(version: string): Promise<void> {
  const config = readConfig(variables);
  const output = openLog(config.LOG_LEVEL, version);
  logWarnings(output.log);
  // A wrong file ends the console at once, and later only a dry run.
  feedsIn(config.SOURCES_FILE);
  const settings = {
    name: 'console',
    poolSize: config.DATABASE_POOL,
    statementTimeoutMs: STATEMENT_TIMEOUT_MS,
  };
  await withDatabase(config, settings, (database) => serve(config, database, output));
  await output.written();
  process.exit(EXIT.done);
}

/** Serves until the first signal, whether the database can be reached or not. */
async function serve(config: ConsoleConfig, database: Database, { log }: Log): Promise<void> {
  // A wrong DATABASE_URL shows in the log, and not only when somebody signs in.
  expectAnswer(database.sql).catch((error: unknown) => log.warn(databaseProblem(error)));
  const queues = new QueueWatch({
    ...brokerOf(config),
    ...connectionSettings('console'),
    queues: [defaultNames.queue, defaultNames.deadQueue, defaultNames.resultsQueue],
    answerMs: BROKER_ANSWER_MS,
  });
  const failures = new SampledLines(log, 'warn', 'a request failed');
  const server = await serveConsole({
    host: config.CONSOLE_HOST,
    port: config.CONSOLE_PORT,
    trustedProxies: config.CONSOLE_TRUSTED_PROXIES,
    context: contextOf(config, database, queues),
    describe: describeFailure,
    log: (fields, message) => log.info(fields, message),
    onFailure: (path, description) => failures.write({ kind: { description }, fields: () => ({ path }) }),
  });
  // Before the log line: whoever reads it may send a signal at once.
  const stopped = new Promise<void>((resolve) => {
    onStopSignal(() => resolve());
  });
  const address = addressOf(config.CONSOLE_HOST, server.port);
  log.info({ host: config.CONSOLE_HOST, port: server.port, address }, 'serving the console');
  if (isWatched()) complain(`Open ${address} in a browser; Ctrl-C stops the console.`);
  await stopped;
  await server.close();
  failures.flush();
  await queues.close();
}

/** Where a browser on this machine finds the console: an address that listens everywhere is none to go to. */
function addressOf(host: string, port: number): string {
  const name = new Map([
    ['0.0.0.0', '127.0.0.1'],
    ['::', '[::1]'],
  ]).get(host);
  return `http://${name ?? (host.includes(':') ? `[${host}]` : host)}:${port}`;
}

/** The feeds of the file as it is now. Throws InvalidInput where it is wrong. */
function feedsOf({ SOURCES_FILE }: ConsoleConfig): Feeds {
  try {
    return new Feeds(feedsIn(SOURCES_FILE));
  } catch (error) {
    throw error instanceof ConfigError ? new InvalidInput(error.message) : error;
  }
}

function contextOf(config: ConsoleConfig, database: Database, queues: QueueWatch): ConsoleContext {
  return {
    sql: database.sql,
    database,
    systemCurrency: config.SYSTEM_CURRENCY,
    billing: billingRulesOf(config),
    overview: createOverviewSource(database.sql, config.SYSTEM_CURRENCY, () => queues.read()),
    // The file is read each time: it may have been mended since.
    feeds: () => feedsOf(config),
    openPublisher: () => openReplayPublisher(brokerOf(config)),
    runDryRun: async (run, stop) =>
      await runDryRun(run, { database, config, feeds: feedsOf(config), stop, onProgress: () => undefined }),
    runReplay: async (run, { publish, close }, stop) => {
      const settings = { database, publish, maxBodyBytes: config.MAX_BODY_BYTES };
      await runReplay(run, { ...settings, stop, onProgress: () => undefined }).finally(close);
    },
    placeOrder: async (order, change) => {
      const context = { sql: database.sql, patienceMs: ORDER_ANSWER_MS, stop: NEVER };
      return await placeThrough(
        () => openOperatorPublisher(brokerOf(config), 'console', ORDER_ANSWER_MS),
        order,
        change,
        context,
      );
    },
  };
}
