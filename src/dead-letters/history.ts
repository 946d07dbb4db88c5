import type { Fields } from '../domain/body.ts';
import { type Cdr, type Difference, differences, toCdr } from '../domain/cdr.ts';
import { parameters } from '../domain/contract.ts';
import { countingBody, keptFields, unsendable, withEdits } from '../domain/kept.ts';
import { validate } from '../domain/validate.ts';
import {
  type DeadLetterDetail,
  type DeadLetterEvent,
  readDeadLetter,
  readEvents,
  readStored,
  replaysWith,
  type StoredCall,
} from '../store/dead-letters/history.ts';
import type { Sql } from '../store/sql.ts';
import { type HistoryEntry, historyOf } from './history-entries.ts';

export type { HistoryEntry } from './history-entries.ts';

/** A dead letter with everything that `show` and its page in the console tell. */
export interface DeadLetterView {
  deadLetter: DeadLetterDetail;
  /** The parameters as received, or as an operator wrote them; null if they cannot be read, and for the record of a feed. */
  call: Fields | null;
  history: HistoryEntry[];
  /** The call that is stored under the same uniqueid. */
  stored: StoredCall | null;
  /** When it took place, as the call says with its corrections; else as it is stored. */
  times: Times;
  /** The replays and dry runs that have it, latest first. */
  inReplays: number[];
  /** It was closed because it had died of another reason too, which another dead letter has, if one; null if it was not. */
  merged: { into: number | null } | null;
  /** Why it cannot be replayed as it is, in one line; null if it can. */
  problem: string | null;
  /** Between the stored call and this one with its corrections. */
  differences: Difference[];
}

/** Null for what cannot be read. */
export interface Times {
  start: Date | null;
  end: Date | null;
  /** In seconds. */
  duration: number | null;
}

/** Reads a dead letter, its history and the call stored under its uniqueid; undefined if there is no such dead letter. */
export async function readDeadLetterView(
  sql: Sql,
  id: string,
  systemCurrency: string,
): Promise<DeadLetterView | undefined> {
  const deadLetter = await readDeadLetter(sql, id);
  if (deadLetter === undefined) return undefined;
  const uniqueid = deadLetter.edits.uniqueid ?? deadLetter.uniqueid;
  const { body, altered } = countingBody({ ...deadLetter, mendedBody: deadLetter.mended_body });
  const [events, inReplays, stored] = await Promise.all([
    readEvents(sql, id),
    replaysWith(sql, id),
    uniqueid === null ? undefined : readStored(sql, uniqueid),
  ]);
  const call = altered.includes('') || deadLetter.source !== null ? null : keptFields(body);
  return {
    deadLetter,
    call,
    history: historyOf(deadLetter, events),
    stored: stored ?? null,
    times: timesIn(call === null ? (stored?.call ?? {}) : withEdits(call, deadLetter.edits)),
    inReplays,
    merged: mergedOf(deadLetter, events),
    problem: unsendable(altered, deadLetter.edits),
    differences: stored === undefined ? [] : differencesTo(stored, deadLetter, call, systemCurrency),
  };
}

/** Compared afresh, since corrections may have changed the call; as recorded if the call is not valid. */
function differencesTo(
  stored: StoredCall,
  { edits, differences: recorded }: DeadLetterDetail,
  call: Fields | null,
  systemCurrency: string,
): Difference[] {
  const received = call === null ? null : cdrOf(withEdits(call, edits), systemCurrency);
  return received === null ? (recorded ?? []) : differences(stored.call, received);
}

function cdrOf(fields: Fields, systemCurrency: string): Cdr | null {
  const validation = validate({ ...fields, auth_username: 'kept', auth_password: 'kept' }, new Set());
  return validation.kind === 'valid' ? toCdr(validation.call, systemCurrency) : null;
}

/** Without an end, a call ends when it starts. */
function timesIn(fields: Fields | Cdr): Times {
  const { start, end } = parameters.shape;
  const read = start.safeParse(fields.start);
  if (!read.success) return { start: null, end: null, duration: null };
  const ended = end.safeParse(fields.end);
  const from = read.data;
  const given = ended.success ? (ended.data ?? from) : null;
  const to = given === null || given < from ? null : given;
  return {
    start: new Date(from * 1000),
    end: to === null ? null : new Date(to * 1000),
    duration: to === null ? null : to - from,
  };
}

function mergedOf(
  { status }: DeadLetterDetail,
  events: readonly DeadLetterEvent[],
): DeadLetterView['merged'] {
  const last = events.at(-1);
  if (status !== 'discarded' || last?.event !== 'merged') return null;
  return { into: typeof last.detail.into === 'number' ? last.detail.into : null };
}
