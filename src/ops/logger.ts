import { setTimeout as sleep } from 'node:timers/promises';
import { type DestinationStream, destination, type Logger, pino } from 'pino';
import { safeJson } from '../domain/printable.ts';

export type { Logger } from 'pino';

/**
 * JSON lines on stderr: stdout is for results. No log call contains a password; the redaction is a safety net. Lines are
 * also made safe for terminals, which pino's own escaping does not ensure. `minLength: 1` writes each line at once and
 * still lets `flush` wait for it, which 0 does not.
 */
export function createLogger(
  level: string,
  stream: DestinationStream = destination({ fd: 2, minLength: 1, sync: false }),
): Logger {
  const redact = { paths: ['auth_password', '*.auth_password', 'password', '*.password'], censor: '***' };
  const hooks = { streamWrite: safeJson };
  return pino({ level, base: null, redact, hooks, timestamp: pino.stdTimeFunctions.isoTime }, stream);
}

const FLUSH_MS = 1000;

/**
 * Waits up to a second until the log is written. Await this before the process exits: pino would retry for ever if
 * nobody reads the pipe any more.
 */
export async function logWritten(log: Logger): Promise<void> {
  const written = new Promise<void>((resolve) => log.flush(() => resolve()));
  await Promise.race([written, sleep(FLUSH_MS)]);
}
