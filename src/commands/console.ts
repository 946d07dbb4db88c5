import type { Command } from 'commander';
import { readConfig } from '../config.ts';
import { brokerOf, brokerVariables, databaseOf, databaseVariables } from '../connections.ts';
import type { ConsoleContext } from '../console/context.ts';
import { serveConsole } from '../console/server.ts';
import { dryRun } from '../dead-letters/dry-run.ts';
import { BrokerError, openReplayPublisher } from '../dead-letters/publisher.ts';
import { replay } from '../dead-letters/replay.ts';
import { createLogger } from '../ops/logger.ts';
import { describeFailure, openDatabase } from '../store/database.ts';

const variables = [
  ...databaseVariables,
  ...brokerVariables,
  'SYSTEM_CURRENCY',
  'CONSOLE_HOST',
  'CONSOLE_PORT',
  'CONSOLE_TRUSTED_PROXIES',
  'LOG_LEVEL',
  'IGNORED_PARAMETERS',
  'MAX_BODY_BYTES',
  'DATABASE_POOL',
] as const;

const STATEMENT_TIMEOUT_MS = 60_000;
const CONNECT_TIMEOUT_MS = 10_000;

/** `console`: the dead letters as web pages, in a process of its own. */
export function registerConsole(program: Command): void {
  program
    .command('console')
    .description('serves the dead letters as a web page for operators and viewers, until SIGTERM or SIGINT')
    .action(async () => {
      const config = readConfig(variables);
      const log = createLogger(config.LOG_LEVEL);
      const database = openDatabase({
        ...databaseOf(config),
        poolSize: config.DATABASE_POOL,
        statementTimeoutMs: STATEMENT_TIMEOUT_MS,
        connectTimeoutMs: CONNECT_TIMEOUT_MS,
        applicationName: 'cdr-ingest console',
      });
      const { sql } = database;
      const context: ConsoleContext = {
        sql,
        systemCurrency: config.SYSTEM_CURRENCY,
        dryRun: (ids, edits) => dryRun(ids, edits, { database, sql }, config),
        replay: async (ids, order, stop, onProgress) => {
          const { publish, close } = await openReplayPublisher(brokerOf(config));
          try {
            const maxBodyBytes = config.MAX_BODY_BYTES;
            return await replay(ids, order, { sql, publish, maxBodyBytes, stop, onProgress });
          } catch (error) {
            throw error instanceof BrokerError ? error : new Error(describeFailure(error), { cause: error });
          } finally {
            await close();
          }
        },
      };
      const server = await serveConsole({
        host: config.CONSOLE_HOST,
        port: config.CONSOLE_PORT,
        trustedProxies: config.CONSOLE_TRUSTED_PROXIES,
        context,
        describe: describeFailure,
        log: (fields, message) => log.info(fields, message),
      });
      // Before the line that says that it serves: who reads that may end it at once.
      const stopped = new Promise<void>((resolve) => {
        for (const name of ['SIGTERM', 'SIGINT'] as const) process.once(name, () => resolve());
      });
      log.info({ host: config.CONSOLE_HOST, port: server.port }, 'serving the console');
      await stopped;
      await server.close();
      await database.close(CONNECT_TIMEOUT_MS);
      process.exit(0);
    });
}
