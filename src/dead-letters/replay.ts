import { sleep } from '../retry.ts';
import { type FinishedAttempts, readFinished, type SeenAttempts } from '../store/dead-letters/mark.ts';
import type { ChosenLetter, Run } from '../store/replays/create.ts';
import { retrying } from '../store/retrying.ts';
import { type ChunkContext, markChunk, type ReplayOrder } from './chunk.ts';
import type { Halt } from './heartbeat.ts';
import { InFlight } from './in-flight.ts';
import type { ReplayMessage } from './message.ts';
import { capacity, hasTooManyFailures } from './pace.ts';

export interface ReplayContext extends ChunkContext {
  /** Resolves when the broker has confirmed all messages. */
  publish: (messages: readonly ReplayMessage[]) => Promise<void>;
  /**
   * When aborted, nothing more is sent; the replays in flight are waited for. Its reason, if that is text, says why on
   * the replay's row.
   */
  stop: AbortSignal;
  onProgress: (progress: ReplayProgress) => void;
}

/** The numbers of a replay, and its summary in the end. */
export interface ReplayProgress {
  selected: number;
  sent: number;
  resolved: number;
  /** Refused again. */
  dead: number;
  /** Replayed again by someone else, or deleted by SQL, before they were finished. */
  takenOver: number;
  skipped: number;
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
const NONE_SEEN: SeenAttempts = { finished: [], unfinished: [] };

/** What `sendLetters` works on. */
export interface Sending {
  run: Run;
  order: ReplayOrder;
  /** Still to be sent, in this order. */
  letters: readonly ChosenLetter[];
  /** Where the replay stands before this; changed as it goes on. */
  progress: ReplayProgress;
  /** Whether somebody has asked to stop, or another process has taken the replay over. */
  halted: () => Halt | null;
}

/**
 * Replays dead letters: chunk by chunk they are corrected, marked with a new attempt and published; then their rows are
 * polled until the worker has finished with them. Rejects with BrokerError or with what the database throws.
 *
 * Results come from the database alone, so a replay may be killed at any time: its rows stay `replaying`, and whoever
 * resumes it gives them a new attempt, which makes messages of the old one worthless.
 */
export async function sendLetters(sending: Sending, context: ReplayContext): Promise<void> {
  await new Sender(sending, context).run();
}

class Sender {
  readonly #run: Run;
  readonly #order: ReplayOrder;
  readonly #context: ReplayContext;
  readonly #halted: () => Halt | null;
  readonly #waiting: ChosenLetter[];
  readonly #inFlight = new InFlight();
  readonly #chunks = new Set<Promise<void>>();
  /** Rows of these chunks that are not marked yet. */
  #preparing = 0;
  #failure: unknown;
  /** The database lets this process mark nothing more. */
  #isOver = false;
  readonly #startedAt = performance.now();
  #nextPollAt = this.#startedAt;
  readonly #progress: ReplayProgress;
  /** Of this process: limits are about what it sends, not about what was sent before it. */
  readonly #own = { sent: 0, resolved: 0, dead: 0 };

  constructor({ run, order, letters, progress, halted }: Sending, context: ReplayContext) {
    this.#run = run;
    this.#order = order;
    this.#context = context;
    this.#halted = halted;
    this.#waiting = [...letters];
    this.#progress = progress;
  }

  async run(): Promise<void> {
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
    this.#context.onProgress(this.#progress);
  }

  #isUnfinished(): boolean {
    const mayTakeMore = this.#waiting.length > 0 && this.#progress.ended === null;
    return mayTakeMore || this.#chunks.size > 0 || this.#inFlight.size > 0;
  }

  #reasonToEnd(): ReplayProgress['ended'] {
    if (this.#context.stop.aborted || this.#halted() !== null || this.#isOver) return 'stopped';
    return hasTooManyFailures(this.#order, this.#own) ? 'too many failures' : null;
  }

  #capacity(): number {
    if (this.#progress.ended !== null || this.#chunks.size >= LANES) return 0;
    const counts = { ...this.#own, preparing: this.#preparing, inFlight: this.#inFlight.size };
    return capacity(this.#order, counts, performance.now() - this.#startedAt);
  }

  /** Sends a chunk in the background. */
  #begin(letters: readonly ChosenLetter[]): void {
    this.#preparing += letters.length;
    const chunk: Promise<void> = this.#send(letters)
      .catch((error: unknown) => {
        this.#failure ??= error;
      })
      .finally(() => this.#chunks.delete(chunk));
    this.#chunks.add(chunk);
  }

  async #send(letters: readonly ChosenLetter[]): Promise<void> {
    const { messages, sent, skipped, isOver } = await markChunk(
      letters,
      this.#run,
      this.#order,
      this.#context,
    );
    for (const attempt of sent) this.#inFlight.add(attempt);
    this.#own.sent += sent.length;
    this.#progress.sent += sent.length;
    this.#progress.skipped += skipped;
    this.#preparing -= letters.length;
    this.#isOver ||= isOver;
    await this.#context.publish(messages);
  }

  /** Looks which of the oldest replays in flight are finished. */
  async #poll(): Promise<void> {
    const oldest = this.#inFlight.next(POLL_ROWS);
    const { sql } = this.#context.database;
    const seen = oldest.length === 0 ? NONE_SEEN : await retrying(() => readFinished(sql, oldest));
    for (const alike of seen.finished) this.#count(alike);
    this.#inFlight.finish(oldest, new Set(seen.unfinished));
    // Polling takes capacity that the worker could use: the more replays are unfinished, the longer the pause.
    this.#nextPollAt = performance.now() + PAUSE_MS_PER_ROW * seen.unfinished.length;
    this.#context.onProgress(this.#progress);
  }

  #count({ result, code, count }: FinishedAttempts): void {
    const progress = this.#progress;
    if (result === 'taken over') {
      progress.takenOver += count;
      return;
    }
    progress[result] += count;
    this.#own[result] += count;
    progress.byCode[code] = (progress.byCode[code] ?? 0) + count;
  }
}
