import { setTimeout as sleep } from 'node:timers/promises';
import { type Logger, pino } from 'pino';
import { safeJson } from '../domain/printable.ts';
import { type LogOutput, logToStderr, STUCK_MS } from './log-output.ts';

export type { Logger } from 'pino';

/** A log and where it is written. */
export interface Log {
  log: Logger;
  /** Lines that could not be written and were dropped. */
  dropped: () => number;
  /** Resolves when all lines are written, and after little more than a second at the latest. Await this before the process exits. */
  written: () => Promise<void>;
}

/** Longer than a write may take that is still waited for. */
const FLUSH_MS = STUCK_MS + 100;

/**
 * JSON lines on stderr: stdout is for results. No log call contains a password; the redaction is a safety net. Lines are
 * also made safe for terminals, which pino's own escaping does not ensure.
 */
export function openLog(level: string, version: string, output: LogOutput = logToStderr()): Log {
  const log = pino(
    {
      level,
      base: { service: 'cdr-ingest', version },
      formatters: { level: (label) => ({ level: label }) },
      timestamp: pino.stdTimeFunctions.isoTime,
      redact: { paths: ['auth_password', '*.auth_password', 'password', '*.password'], censor: '***' },
      hooks: { streamWrite: safeJson },
    },
    output,
  );
  output.onDropped = (count) => log.warn({ count }, 'lines of this log could not be written and are missing');
  return {
    log,
    dropped: () => output.dropped,
    written: async () => {
      const written = new Promise<void>((resolve) => output.flush(resolve));
      await Promise.race([written, sleep(FLUSH_MS)]);
    },
  };
}

/** Puts warnings of Node into the log, unless it is told to give none. Node would print them, and wait until they are read. */
export function logWarnings(log: Pick<Logger, 'warn'>): void {
  if (process.listenerCount('warning') === 0) return;
  process.removeAllListeners('warning');
  process.on('warning', ({ name, message }) => log.warn({ warning: name }, message));
}
