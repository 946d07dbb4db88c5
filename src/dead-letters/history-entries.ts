import { printable } from '../domain/printable.ts';
import { shorten, shown } from '../domain/text.ts';
import type { DeadLetterDetail, DeadLetterEvent } from '../store/dead-letters/history.ts';

/** One line of a history. */
export interface HistoryEntry {
  at: Date;
  event: DeadLetterEvent['event'];
  by: string | null;
  why: string | null;
  text: string;
}

/**
 * The recorded events, and what only the row knows: the first refusal, the latest of further refusals without a replay
 * in between, and a retry by the worker itself.
 */
export function historyOf(deadLetter: DeadLetterDetail, events: readonly DeadLetterEvent[]): HistoryEntry[] {
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
      if (typeof detail.correction === 'string')
        return `the stored call took its values: entry ${detail.correction}`;
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
