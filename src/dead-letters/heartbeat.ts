import type { Run } from '../store/replays/create.ts';
import { beat, type ReplayCounts } from '../store/replays/run.ts';
import type { Sql } from '../store/sql.ts';

/** Why a replay or a dry run ends before everything is done. `lost`: another process has taken it over. */
export type Halt = { kind: 'asked'; by: string } | { kind: 'lost' };

const BEAT_MS = 1000;

/**
 * Tells the row of a replay every second that this process is at work on it and how far it is, and finds there whether
 * somebody has asked it to stop.
 */
export class Heartbeat {
  halt: Halt | null = null;
  readonly #timer: NodeJS.Timeout;
  #underWay: Promise<void> = Promise.resolve();
  #isBeating = false;

  constructor(sql: Sql, run: Run, counts: () => ReplayCounts) {
    this.#timer = setInterval(() => {
      // A database that does not answer is asked once, not every second.
      if (this.#isBeating) return;
      this.#isBeating = true;
      this.#underWay = beat(sql, run, counts())
        .then(({ lost, stopBy }) => {
          if (lost) this.halt ??= { kind: 'lost' };
          else if (stopBy !== null) this.halt ??= { kind: 'asked', by: stopBy };
        })
        // Whatever is wrong with the database, the work itself meets it too.
        .catch(() => undefined)
        .finally(() => {
          this.#isBeating = false;
        });
    }, BEAT_MS);
  }

  /** Resolves when nothing is written any more. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#underWay;
  }
}
