import type { Fields } from '../domain/body.ts';
import { type Cdr, type Difference, differences, toCdr } from '../domain/cdr.ts';
import { countingBody, keptFields, unsendable, withEdits } from '../domain/kept.ts';
import { printable } from '../domain/printable.ts';
import { shorten, shown } from '../domain/text.ts';
import { validate } from '../domain/validate.ts';
import {
  type DeadLetterDetail,
  type DeadLetterEvent,
  readDeadLetter,
  readEvents,
  readStored,
  type StoredCall,
} from '../store/dead-letters/history.ts';
import type { Sql } from '../store/sql.ts';

/** A dead letter with everything that `show` and its page in the console tell. */
export interface DeadLetterView {
  deadLetter: DeadLetterDetail;
  /** The parameters as received, or as an operator wrote them; null if they cannot be read, and for the record of a feed. */
  call: Fields | null;
  history: HistoryEntry[];
  /** The call that is stored under the same uniqueid. */
  stored: StoredCall | null;
  /** Why it cannot be replayed as it is, in one line; null if it can. */
  problem: string | null;
  /** Between the stored call and this one with its corrections. */
  differences: Difference[];
}

/** One line of a history. */
export interface HistoryEntry {
  at: Date;
  event: DeadLetterEvent['event'];
  by: string | null;
  why: string | null;
  text: string;
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
  const [events, stored] = await Promise.all([
    readEvents(sql, id),
    uniqueid === null ? undefined : readStored(sql, uniqueid),
  ]);
  const call = altered.includes('') || deadLetter.source !== null ? null : keptFields(body);
  return {
    deadLetter,
    call,
    history: historyOf(deadLetter, events),
    stored: stored ?? null,
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
  return validation.kind === 'valid' ? toCdr(validation.parameters, systemCurrency) : null;
}

/**
 * The recorded events, and what only the row knows: the first refusal, the latest of further refusals without a replay
 * in between, and a retry by the worker itself.
 */
function historyOf(deadLetter: DeadLetterDetail, events: readonly DeadLetterEvent[]): HistoryEntry[] {
  const { reason, responses, status, deaths, first_dead_at, last_dead_at, closed_at } = deadLetter;
  const entry = (at: Date, event: HistoryEntry['event'], text: string): HistoryEntry => ({
    at,
    event,
    by: null,
    why: null,
    text,
  });
  // A replay overwrites reason and responses; the event that starts it has those before.
  const before = events.find(({ event }) => event === 'replayed')?.detail;
  const history = [
    entry(
      first_dead_at,
      'died',
      answerText(String(before?.reason ?? reason), before?.responses ?? responses),
    ),
    ...events.map((event) => ({
      at: event.at,
      event: event.event,
      by: event.by,
      why: event.why,
      text: textOf(event),
    })),
  ];
  const replayedDeaths = events.filter(({ event }) => event === 'died' || event === 'merged').length;
  const otherDeaths = deaths - replayedDeaths;
  const diedInReplay = events.some(({ event, at }) => event === 'died' && at >= last_dead_at);
  if (otherDeaths > 1 && !diedInReplay)
    history.push(
      entry(last_dead_at, 'died', `received and refused again, ${otherDeaths} deaths without a replay`),
    );
  const hasResolved = events.some(({ event }) => event === 'resolved');
  if (status === 'resolved' && !hasResolved && closed_at !== null)
    history.push(entry(closed_at, 'resolved', 'retried alone by the worker'));
  return history.sort((one, other) => one.at.getTime() - other.at.getTime());
}

function textOf({ event, attempt, detail }: DeadLetterEvent): string {
  switch (event) {
    case 'edited':
      return editText(detail);
    case 'replayed':
      return `attempt ${attempt}`;
    case 'died':
      return `attempt ${attempt}: ${answerText(String(detail.reason), detail.responses)}`;
    case 'resolved':
      return `attempt ${attempt}: ${detail.stored ? 'stored' : 'already stored with the same content'}, ${detail.code}`;
    case 'merged':
      return attempt === null
        ? `retried alone by the worker: ${detail.reason}${detail.into ? `, kept as dead letter ${detail.into}` : ''}`
        : `attempt ${attempt}: ${detail.reason}, merged into dead letter ${detail.into}`;
    case 'discarded':
    case 'reopened':
      return '';
    default:
      return event satisfies never;
  }
}

function editText({ set, body }: DeadLetterEvent['detail']): string {
  const changes = Object.entries((set ?? {}) as Record<string, { from?: unknown; to: string | null }>).map(
    ([name, { from, to }]) =>
      `${shortName(name)}: ${from == null ? 'none' : shown(from)} → ${to === null ? 'taken out' : shown(to)}`,
  );
  return [...(body === undefined ? [] : ['body replaced']), ...changes].join(', ');
}

/** A name that a sender made up may be as long as its body. */
function shortName(name: string): string {
  return printable(shorten(name, 40));
}

function answerText(reason: string, responses: unknown): string {
  const list = Array.isArray(responses)
    ? (responses as { code: string; key: string; message: string }[])
    : [];
  const texts = list.map(({ code, key, message }) => `${code} ${key === '' ? '' : `${key}: `}${message}`);
  return [reason, ...texts].join('; ');
}
