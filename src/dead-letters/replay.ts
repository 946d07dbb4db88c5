import type { Edits } from '../domain/kept.ts';
import type { Correction } from '../store/dead-letters/edit.ts';
import type { Mark, Replayable, Sighting } from '../store/dead-letters/mark.ts';
import { correctionsFor, whyNotSent } from './corrections.ts';
import { messageOf, type ReplayMessage } from './message.ts';

/** The outside world as a replay sees it. */
export interface ReplayPorts {
  read: (ids: readonly string[]) => Promise<Replayable[]>;
  /** Committed; returns the ids of the rows that were still as they had been read. */
  correct: (corrections: readonly Correction[]) => Promise<Set<string>>;
  mark: (marks: readonly Mark[]) => Promise<Set<string>>;
  /** Resolves when the broker has confirmed all of them. */
  send: (messages: readonly ReplayMessage[]) => Promise<void>;
  finished: (attempts: readonly { id: string; attempt: number }[]) => Promise<Sighting[]>;
  /** So many tokens of 256 random bits each, base64url. */
  tokens: (count: number) => string[];
  /** Monotonic milliseconds. */
  now: () => number;
  wait: (milliseconds: number) => Promise<void>;
  onProgress: (progress: ReplayProgress) => void;
}

export interface ReplaySettings {
  edits: Edits;
  /** Calls a second at most; null for as fast as they are persisted. */
  rate: number | null;
  /** Per cent of dead ones among the finished, above which no more are sent; null for no limit. */
  abortOver: number | null;
  /** What the worker takes (MAX_BODY_BYTES). */
  maxBodyBytes: number;
  /** Sends no more; what is sent already is waited for. */
  stop: AbortSignal;
}

export interface ReplayProgress {
  /** Frozen at the start. */
  selected: number;
  sent: number;
  resolved: number;
  /** Refused again. */
  dead: number;
  /** Sent again by somebody else while they were on their way. */
  takenOver: number;
  /** Not sent: changed or closed by others since they were selected, or cannot be sent. */
  leftAlone: { id: string; why: string }[];
  byCode: Record<string, number>;
  /** Why it ended before everything was sent. */
  ended: 'stopped' | 'too many failures' | null;
}

/** Rows that one statement marks. */
const CHUNK = 500;
/** Rows that one statement looks at. */
const LOOK = 1000;
/** Parts that are marked and sent at once: while the broker confirms one, the database marks the next. */
const LANES = 3;
/** Marked and not persisted: enough to fill the worker's batches. */
const WINDOW = 6000;
/** With a limit of failures: sent before so many results are known, and then how far ahead of them. */
const SLOW_START = 20;
const SLOW_FACTOR = 2;
const POLL_MS = 30;
const LOOK_MS_A_ROW = 0.3;

/**
 * Sends dead letters again: marks a part of them with a new attempt each, sends it, and watches the rows until the
 * worker has persisted them. The database is what tells the results: a killed replay leaves rows `replaying`, and the
 * next one takes them up with a new attempt, which makes whatever is still on its way worthless.
 */
export async function replay(
  ids: readonly string[],
  settings: ReplaySettings,
  ports: ReplayPorts,
): Promise<ReplayProgress> {
  const { abortOver, rate, stop } = settings;
  const waiting = [...ids];
  const open = new Map<string, number>();
  const sending = new Set<Promise<void>>();
  let preparing = 0;
  let failure: unknown;
  const started = ports.now();
  const progress: ReplayProgress = {
    selected: ids.length,
    sent: 0,
    resolved: 0,
    dead: 0,
    takenOver: 0,
    leftAlone: [],
    byCode: {},
    ended: null,
  };

  /** How many may be sent now. */
  function room(): number {
    const finished = progress.resolved + progress.dead;
    if (stop.aborted) progress.ended = 'stopped';
    else if (abortOver !== null && finished >= SLOW_START && progress.dead * 100 > abortOver * finished)
      progress.ended = 'too many failures';
    if (progress.ended !== null || sending.size >= LANES) return 0;
    const gone = progress.sent + preparing;
    const bySpeed = rate === null ? CHUNK : 1 + ((ports.now() - started) / 1000) * rate - gone;
    const trusted = finished < SLOW_START ? SLOW_START : SLOW_START + SLOW_FACTOR * finished;
    const byTrust = abortOver === null ? CHUNK : trusted - gone;
    return Math.floor(Math.min(CHUNK, WINDOW - open.size - preparing, bySpeed, byTrust));
  }

  function send(chunk: readonly string[]): void {
    preparing += chunk.length;
    const task: Promise<void> = sendChunk(chunk, open, progress, settings, ports, () => {
      preparing -= chunk.length;
    })
      .catch((error: unknown) => {
        failure ??= error;
      })
      .finally(() => sending.delete(task));
    sending.add(task);
  }

  let lookAt = started;
  while (open.size > 0 || sending.size > 0 || (waiting.length > 0 && progress.ended === null)) {
    const chunk = waiting.splice(0, Math.max(0, room()));
    if (chunk.length > 0) send(chunk);
    else await ports.wait(POLL_MS);
    if (failure !== undefined) break;
    if (ports.now() < lookAt) continue;
    // Looking costs the database what the worker could use: the fewer of them are finished, the longer it can wait.
    lookAt = ports.now() + LOOK_MS_A_ROW * (await look(open, progress, ports));
    ports.onProgress(progress);
  }
  await Promise.all(sending);
  if (failure !== undefined) throw failure;
  return progress;
}

async function sendChunk(
  ids: readonly string[],
  open: Map<string, number>,
  progress: ReplayProgress,
  { edits, maxBodyBytes }: ReplaySettings,
  ports: ReplayPorts,
  onMarked: () => void,
): Promise<void> {
  const leave = (id: string, why: string) => progress.leftAlone.push({ id, why });
  const rows = await corrected(await ports.read(ids), edits, ports, leave);
  const ready = ports.tokens(rows.length).flatMap((token, index) => {
    const row = rows[index];
    if (row === undefined) return [];
    const made = messageOf(row, token);
    if (made.message.body.length <= maxBodyBytes) return [made];
    leave(row.id, `larger than ${maxBodyBytes} bytes`);
    return [];
  });
  const marked = await ports.mark(ready.map(({ mark }) => mark));
  for (const { mark } of ready) if (!marked.has(mark.id)) leave(mark.id, 'changed meanwhile');
  const going = ready.filter(({ mark }) => marked.has(mark.id));
  for (const { mark } of going) open.set(mark.id, mark.replays + 1);
  progress.sent += going.length;
  onMarked();
  await ports.send(going.map(({ message }) => message));
}

/** The rows with their corrections, which are on record before anything is sent. */
async function corrected(
  rows: readonly Replayable[],
  edits: Edits,
  ports: ReplayPorts,
  leave: (id: string, why: string) => void,
): Promise<Replayable[]> {
  const open = rows.filter((row) => {
    const why = whyNotSent(row, edits);
    if (why !== null) leave(row.id, why);
    return why === null;
  });
  if (Object.keys(edits).length === 0) return open;
  const { corrections, unreadable } = correctionsFor(open, edits);
  for (const id of unreadable) leave(id, 'its body cannot be read, so nothing in it can be set');
  const done = corrections.length === 0 ? new Set() : await ports.correct(corrections);
  const wanted = new Map(corrections.map((correction) => [correction.id, correction.edits]));
  return open.flatMap((row) => {
    const change = wanted.get(row.id);
    if (unreadable.includes(row.id)) return [];
    if (change !== undefined && !done.has(row.id)) leave(row.id, 'changed meanwhile');
    if (change === undefined) return [row];
    return done.has(row.id) ? [{ ...row, edits: change }] : [];
  });
}

/**
 * Looks at the rows that were looked at longest ago, or sent: these are persisted first. Returns how many of them are
 * still on their way.
 */
async function look(
  open: Map<string, number>,
  progress: ReplayProgress,
  ports: ReplayPorts,
): Promise<number> {
  const oldest = [...open].slice(0, LOOK);
  if (oldest.length === 0) return 0;
  const seen = await ports.finished(oldest.map(([id, attempt]) => ({ id, attempt })));
  for (const [id, attempt] of oldest) {
    open.delete(id);
    open.set(id, attempt);
  }
  for (const { id, status, replays, code } of seen) {
    const attempt = open.get(id);
    open.delete(id);
    if (replays !== attempt) {
      progress.takenOver += 1;
      continue;
    }
    if (status === 'resolved') progress.resolved += 1;
    else progress.dead += 1;
    progress.byCode[code] = (progress.byCode[code] ?? 0) + 1;
  }
  return oldest.length - seen.length;
}
