import { randomBytes } from 'node:crypto';
import type { ReplayProgress } from '../dead-letters/replay.ts';

/** A replay that this console started. Its results are on record in the database; this is only its progress. */
export interface Job {
  id: string;
  operator: string;
  startedAt: Date;
  progress: ReplayProgress | undefined;
  selected: number;
  state: 'running' | 'done' | 'failed';
  problem: string | null;
  stop: AbortController;
}

const KEPT = 50;
/** How soon a replay stops whose operator may no longer continue it. */
const CHECK_EVERY_MS = 5000;

/** The replays of this process, latest first. */
export class Jobs {
  readonly #jobs: Job[] = [];

  get all(): readonly Job[] {
    return this.#jobs;
  }

  find(id: string): Job | undefined {
    return this.#jobs.find((job) => job.id === id);
  }

  /**
   * Starts work on behalf of an operator. Stops it when `mayContinue` says no; while that cannot be asked, it continues.
   */
  start(
    operator: string,
    selected: number,
    mayContinue: () => Promise<boolean>,
    work: (stop: AbortSignal, onProgress: (progress: ReplayProgress) => void) => Promise<ReplayProgress>,
  ): Job {
    const job: Job = {
      id: randomBytes(9).toString('base64url'),
      operator,
      startedAt: new Date(),
      progress: undefined,
      selected,
      state: 'running',
      problem: null,
      stop: new AbortController(),
    };
    this.#jobs.unshift(job);
    this.#jobs.splice(KEPT);
    const check = setInterval(async () => {
      if (await mayContinue().catch(() => true)) return;
      job.problem ??= `stopped: ${operator}'s password, role or status has changed since the replay was started`;
      job.stop.abort();
    }, CHECK_EVERY_MS);
    work(job.stop.signal, (progress) => {
      job.progress = progress;
    })
      .then(
        (progress) => Object.assign(job, { progress, state: 'done' as const }),
        (error: unknown) =>
          Object.assign(job, {
            state: 'failed' as const,
            problem: error instanceof Error ? error.message : String(error),
          }),
      )
      .finally(() => clearInterval(check));
    return job;
  }
}

/** The numbers of a job, for its page and for the script that follows it. */
export function numbersOf({ progress, selected, state, startedAt }: Job) {
  const { sent = 0, resolved = 0, dead = 0, takenOver = 0, skipped = [] } = progress ?? {};
  const done = resolved + dead + takenOver + skipped.length;
  const seconds = Math.max(0.001, (Date.now() - startedAt.getTime()) / 1000);
  const rate = Math.round(done / seconds);
  const left = state !== 'running' ? '0 s' : rate === 0 ? '?' : `${Math.ceil((selected - done) / rate)} s`;
  return { selected, sent, done, resolved, dead, rate, left, ended: state !== 'running' };
}
