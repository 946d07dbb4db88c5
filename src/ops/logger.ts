import { type DestinationStream, destination, type Logger, pino } from 'pino';

export type { Logger } from 'pino';

/**
 * JSON lines on stderr: stdout belongs to results. Nothing that is logged holds a password; the redaction is the
 * second lock on that door.
 */
export function createLogger(
  level: string,
  stream: DestinationStream = destination({ fd: 2, sync: false }),
): Logger {
  const redact = { paths: ['auth_password', '*.auth_password', 'password', '*.password'], censor: '***' };
  return pino({ level, base: null, redact, timestamp: pino.stdTimeFunctions.isoTime }, stream);
}
