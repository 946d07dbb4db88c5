import type { Command } from 'commander';
import { readConfig } from '../config.ts';
import { createLogger, logWritten } from '../ops/logger.ts';
import { startWorker, workerVariables } from '../worker/worker.ts';

/** `worker`: consumes until SIGTERM or SIGINT, then drains and exits 0. A second signal exits at once. */
export function registerWorker(program: Command): void {
  program
    .command('worker')
    .description('consumes calls until SIGTERM or SIGINT, then drains and exits 0')
    .action(async () => {
      const config = readConfig(workerVariables);
      const log = createLogger(config.LOG_LEVEL);
      const waiting = new AbortController();
      const stopped = new Promise<void>((resolve) => {
        const onSignal = (signal: NodeJS.Signals) => {
          log.info({ signal }, 'stopping');
          // What is unacknowledged comes again: ending at once loses nothing.
          for (const name of SIGNALS) process.removeListener(name, onSignal).on(name, () => process.exit(1));
          waiting.abort();
          resolve();
        };
        for (const name of SIGNALS) process.on(name, onSignal);
      });
      const worker = await startWorker(config, log, waiting.signal).catch((error: unknown) => {
        if (!waiting.signal.aborted) throw error;
      });
      if (worker !== undefined) {
        await Promise.race([stopped, worker.failure]);
        await worker.stop();
      }
      await logWritten(log);
      // A hanging connection that was given up must not keep the process.
      process.exit(0);
    });
}

const SIGNALS = ['SIGTERM', 'SIGINT'] as const;
