import { ConfigError } from '../config.ts';
import type { Logger } from '../ops/logger.ts';
import type { Feed } from '../sources/feed.ts';
import { describeFailure } from '../store/failures.ts';

export interface ReloadPorts {
  /** Reads the sources file. Throws ConfigError where it is wrong. */
  read: () => readonly Feed[];
  /** Records how the feeds make uniqueids. Rejects with ConfigError for another rule than is on record. */
  record: (feeds: readonly Feed[]) => Promise<void>;
  /** Puts the feeds into force. */
  use: (feeds: readonly Feed[]) => void;
  /** Declares their exchanges. Rejects where the broker cannot be asked. */
  declare: () => Promise<void>;
  log: Pick<Logger, 'info' | 'warn' | 'error'>;
}

/**
 * Reads the sources file again. A wrong one is logged and leaves the feeds as they are. One reading after the other, so that
 * what was read last stays in force. Never rejects.
 */
export function createReload({ read, record, use, declare, log }: ReloadPorts): () => Promise<void> {
  let last = Promise.resolve();

  async function reload(): Promise<void> {
    let feeds: readonly Feed[];
    try {
      feeds = read();
      await record(feeds);
    } catch (error) {
      const why = error instanceof ConfigError ? error.message : describeFailure(error);
      log.error({ why }, 'the sources file cannot be used; the one before stays in force');
      return;
    }
    use(feeds);
    await declare().catch((error: unknown) => {
      const why = describeFailure(error);
      log.warn({ why }, 'the exchanges of feeds could not be declared; they are at the next connection');
    });
    log.info({ feeds: feeds.map(({ name }) => name) }, 'sources file read again');
  }

  return () => {
    last = last.then(reload);
    return last;
  };
}
