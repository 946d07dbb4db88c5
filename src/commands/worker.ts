import type { Command } from 'commander';
import { readConfig } from '../config.ts';
import { type Logger, logWarnings, openLog } from '../ops/logger.ts';
import { startWorker, type Worker, workerVariables } from '../worker/worker.ts';
import { EXIT } from './exit.ts';
import { addUsage } from './help.ts';
import { onStopSignal } from './signals.ts';

/** `worker`: consumes until SIGTERM or SIGINT, then drains and exits 0. A second signal exits at once. SIGHUP has it read
 * the sources file again. */
export function registerWorker(program: Command, version: string): void {
  const command = program
    .command('worker')
    .description('Consume calls until SIGTERM or SIGINT, then drain and exit')
    .option('--accept-new-uniqueids', 'take feeds whose rule for uniqueid is another one than is on record')
    .action((given: { acceptNewUniqueids?: boolean }) => run(given.acceptNewUniqueids ?? false, version));
  addUsage(command, {
    examples: ['cdr-ingest worker', 'DATABASE_URL_FILE=/run/secrets/database-url cdr-ingest worker'],
    environment: workerVariables,
  });
}

async function run(acceptsNewUniqueids: boolean, version: string): Promise<void> {
  const config = readConfig(workerVariables);
  const { log, dropped, written } = openLog(config.LOG_LEVEL, version);
  logWarnings(log);
  const starting = new AbortController();
  const stopped = new Promise<void>((resolve) => {
    // A second signal loses nothing: what is unacknowledged is redelivered.
    onStopSignal((signal) => {
      log.info({ signal }, 'stopping');
      starting.abort();
      resolve();
    });
  });
  let worker: Worker | undefined;
  // Without a file, the end of the terminal ends the worker as it ends every other program.
  if (config.SOURCES_FILE !== '') process.on('SIGHUP', () => void worker?.reloadFeeds());
  const options = { acceptsNewUniqueids, version, droppedLines: dropped };
  worker = await startWorker(config, log, starting.signal, options).catch((error: unknown) => {
    if (starting.signal.aborted) return undefined;
    throw error;
  });
  const code = worker === undefined ? EXIT.done : await untilEnded(worker, stopped, log);
  await written();
  // A connection that hangs must not keep the process alive.
  process.exit(code);
}

/**
 * Stops the worker when it is told to, or when it cannot go on: the broker gives to others what it has in hand. Returns the
 * exit code.
 */
export async function untilEnded(
  worker: Pick<Worker, 'failure' | 'stop'>,
  stopped: Promise<void>,
  log: Pick<Logger, 'fatal'>,
): Promise<number> {
  try {
    await Promise.race([stopped, worker.failure]);
    await worker.stop();
    return EXIT.done;
  } catch (err) {
    log.fatal({ err }, 'this worker cannot go on');
    await worker.stop().catch(() => undefined);
    return EXIT.failed;
  }
}
