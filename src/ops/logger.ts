import { setTimeout as sleep } from 'node:timers/promises';
import { type DestinationStream, destination, type Logger, pino } from 'pino';
import { safeJson } from '../domain/printable.ts';

export type { Logger } from 'pino';

/**
 * JSON lines on stderr: stdout belongs to results. Nothing that is logged holds a password; the redaction is the
 * second lock on that door. Each line is written at once, but the library waits for what is written only where it may gather
 * a character. Nothing in a line disturbs a terminal: pino escapes less than that.
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
 * Resolves when what was logged is written, or nobody reads it any more, within a second. To be awaited before the process
 * exits: what is left to write then is tried for ever where its reader is gone.
 */
export async function logWritten(log: Logger): Promise<void> {
  const written = new Promise<void>((resolve) => log.flush(() => resolve()));
  await Promise.race([written, sleep(FLUSH_MS)]);
}
