import { sleep } from '../retry.ts';
import { correctDeadLetters } from '../store/dead-letters/edit.ts';
import {
  type FinishedAttempt,
  markReplaying,
  type Replayable,
  readFinished,
  readReplayable,
} from '../store/dead-letters/mark.ts';
import { retrying } from '../store/retrying.ts';
import type { Sql } from '../store/sql.ts';
import type { Correction } from './correction.ts';
import { type Skipped, withCorrections } from './corrections.ts';
import { isTooLarge, newToken, nextAttempt, type ReplayMessage } from './message.ts';
import { capacity, hasTooManyFailures, type Limits } from './pace.ts';

/** What an operator asks for. */
export interface ReplayOrder extends Limits {
  operator: string;
  why: string | null;
  correction: Correction;
}

export interface ReplayContext {
  sql: Sql;
  /** Resolves when the broker has confirmed all messages. */
  publish: (messages: readonly ReplayMessage[]) => Promise<void>;
  /** The worker's limit (MAX_BODY_BYTES). */
  maxBodyBytes: number;
  /** When aborted, nothing more is sent; the replays in flight are waited for. */
  stop: AbortSignal;
  onProgress: (progress: ReplayProgress) => void;
}

/** The numbers of a replay, and its summary in the end. `--json` prints it as it is. */
export interface ReplayProgress {
  selected: number;
  sent: number;
  resolved: number;
  /** Refused again. */
  dead: number;
  /** Replayed again by someone else before they were finished. */
  takenOver: number;
  skipped: Skipped[];
  /** Finished replays by the code of their reply. */
  byCode: Record<string, number>;
  /** Why it stopped before everything was sent. */
  ended: 'stopped' | 'too many failures' | null;
}

/** Chunks in preparation at once: while the broker confirms one, the database marks the next. */
const LANES = 3;
const IDLE_MS = 30;
/** Rows that one poll looks at, and the pause after it for each of them that is not finished. */
const POLL_ROWS = 1000;
const PAUSE_MS_PER_ROW = 0.3;
const CHANGED = 'changed by someone else in the meantime';

/**
 * Replays dead letters: chunk by chunk they are corrected, marked with a new attempt and published; then their rows are
 * polled until the worker has finished with them. Resolves with the summary. Rejects with BrokerError or with what the
 * database throws.
 *
 * Results come from the database alone, so a replay may be killed at any time: its rows stay `replaying`, and the next
 * replay gives them a new attempt, which makes messages of the old one worthless.
 */
export async function replay(
  ids: readonly string[],
  order: ReplayOrder,
  context: ReplayContext,
): Promise<ReplayProgress> {
  return await new ReplayRun(ids, order, context).run();
}

class ReplayRun {
  readonly #order: ReplayOrder;
  readonly #context: ReplayContext;
  readonly #waiting: string[];
  /** Attempts by dead letter: marked and not known to be finished, longest unpolled first. */
  readonly #inFlight = new Map<string, number>();
  readonly #chunks = new Set<Promise<void>>();
  /** Rows of these chunks that are not marked yet. */
  #preparing = 0;
  #failure: unknown;
  readonly #startedAt = performance.now();
  #nextPollAt = this.#startedAt;
  readonly #progress: ReplayProgress;

  constructor(ids: readonly string[], order: ReplayOrder, context: ReplayContext) {
    this.#order = order;
    this.#context = context;
    this.#waiting = [...ids];
    this.#progress = {
      selected: ids.length,
      sent: 0,
      resolved: 0,
      dead: 0,
      takenOver: 0,
      skipped: [],
      byCode: {},
      ended: null,
    };
  }

  async run(): Promise<ReplayProgress> {
    while (this.#isUnfinished()) {
      this.#progress.ended = this.#reasonToEnd() ?? this.#progress.ended;
      const chunk = this.#waiting.splice(0, this.#capacity());
      if (chunk.length > 0) this.#begin(chunk);
      else await sleep(IDLE_MS);
      if (this.#failure !== undefined) break;
      if (performance.now() >= this.#nextPollAt) await this.#poll();
    }
    await Promise.all(this.#chunks);
    if (this.#failure !== undefined) throw this.#failure;
    return this.#progress;
  }

  #isUnfinished(): boolean {
    const mayTakeMore = this.#waiting.length > 0 && this.#progress.ended === null;
    return mayTakeMore || this.#chunks.size > 0 || this.#inFlight.size > 0;
  }

  #reasonToEnd(): ReplayProgress['ended'] {
    if (this.#context.stop.aborted) return 'stopped';
    return hasTooManyFailures(this.#order, this.#progress) ? 'too many failures' : null;
  }

  #capacity(): number {
    if (this.#progress.ended !== null || this.#chunks.size >= LANES) return 0;
    const counts = { ...this.#progress, preparing: this.#preparing, inFlight: this.#inFlight.size };
    return capacity(this.#order, counts, performance.now() - this.#startedAt);
  }

  /** Sends a chunk in the background. */
  #begin(ids: readonly string[]): void {
    this.#preparing += ids.length;
    const chunk: Promise<void> = this.#send(ids)
      .catch((error: unknown) => {
        this.#failure ??= error;
      })
      .finally(() => this.#chunks.delete(chunk));
    this.#chunks.add(chunk);
  }

  async #send(ids: readonly string[]): Promise<void> {
    const { sql, publish } = this.#context;
    const rows = await retrying(() => readReplayable(sql, ids));
    const messages = await this.#mark(await this.#correct(rows));
    this.#preparing -= ids.length;
    await publish(messages);
  }

  /** Stores the corrections, so that they are on record before anything is sent. Returns the corrected rows. */
  async #correct(found: readonly Replayable[]): Promise<Replayable[]> {
    const { operator, why, correction } = this.#order;
    const { rows, corrections, skipped } = withCorrections(found, correction);
    this.#progress.skipped.push(...skipped);
    if (corrections.length === 0) return rows;
    const { sql } = this.#context;
    const stored = await retrying(() =>
      correctDeadLetters(sql, corrections, { by: operator, why, program: null }),
    );
    const changed = new Set(corrections.flatMap(({ id }) => (stored.has(id) ? [] : [id])));
    for (const id of changed) this.#skip(id, CHANGED);
    return rows.filter(({ id }) => !changed.has(id));
  }

  /** Gives each row a new attempt with a one-time token. Returns the messages of the rows that were still unchanged. */
  async #mark(rows: readonly Replayable[]): Promise<ReplayMessage[]> {
    const { sql, maxBodyBytes } = this.#context;
    const { operator, why } = this.#order;
    const attempts = rows.map((row) => nextAttempt(row, newToken()));
    const small = attempts.filter(({ mark, message }) => {
      if (!isTooLarge(message, maxBodyBytes)) return true;
      this.#skip(mark.id, `larger than ${maxBodyBytes} bytes`);
      return false;
    });
    const marks = small.map(({ mark }) => mark);
    const marked = await retrying(() => markReplaying(sql, marks, operator, why));
    return small.flatMap(({ mark: { id, replays }, message }) => {
      if (!marked.has(id)) {
        this.#skip(id, CHANGED);
        return [];
      }
      this.#inFlight.set(id, replays + 1);
      this.#progress.sent += 1;
      return [message];
    });
  }

  /** Looks which of the oldest replays in flight are finished; the worker finishes those first. */
  async #poll(): Promise<void> {
    const oldest = [...this.#inFlight].slice(0, POLL_ROWS);
    const attempts = oldest.map(([id, attempt]) => ({ id, attempt }));
    const { sql } = this.#context;
    const finished = attempts.length === 0 ? [] : await retrying(() => readFinished(sql, attempts));
    for (const [id, attempt] of oldest) {
      this.#inFlight.delete(id);
      this.#inFlight.set(id, attempt);
    }
    for (const row of finished) this.#count(row);
    // Polling takes capacity that the worker could use: the more replays are unfinished, the longer the pause.
    this.#nextPollAt = performance.now() + PAUSE_MS_PER_ROW * (oldest.length - finished.length);
    this.#context.onProgress(this.#progress);
  }

  #count({ id, status, replays, code }: FinishedAttempt): void {
    const progress = this.#progress;
    const attempt = this.#inFlight.get(id);
    this.#inFlight.delete(id);
    if (replays !== attempt) {
      progress.takenOver += 1;
      return;
    }
    if (status === 'resolved') progress.resolved += 1;
    else progress.dead += 1;
    progress.byCode[code] = (progress.byCode[code] ?? 0) + 1;
  }

  #skip(id: string, why: string): void {
    this.#progress.skipped.push({ id, why });
  }
}
