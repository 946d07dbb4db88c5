import type { Fields } from '../domain/body.ts';
import { type Cdr, type Difference, differences, toCdr } from '../domain/cdr.ts';
import { keptFields } from '../domain/kept.ts';
import { shown } from '../domain/text.ts';
import { validate } from '../domain/validate.ts';
import type { DeadLetterDetail, DeadLetterEvent, StoredCall } from '../store/dead-letters/history.ts';

/** One step in the life of a dead letter. */
export interface HistoryEvent {
  at: Date;
  event: DeadLetterEvent['event'];
  by: string | null;
  why: string | null;
  text: string;
}

/** A dead letter with all that is known of it. */
export interface DeadLetterHistory {
  deadLetter: DeadLetterDetail;
  /** The parameters as they came; null where they cannot be read. */
  call: Fields | null;
  history: HistoryEvent[];
  /** The call that is stored under its uniqueid. */
  stored: StoredCall | null;
  /** Between the stored call and this one with its corrections. */
  differences: Difference[];
}

/** Puts together what `show` and the page of one call tell. */
export function deadLetterHistoryOf(
  deadLetter: DeadLetterDetail,
  events: readonly DeadLetterEvent[],
  stored: StoredCall | undefined,
  systemCurrency: string,
): DeadLetterHistory {
  const call = deadLetter.altered.includes('') ? null : keptFields(deadLetter.body);
  const received = call === null ? null : cdrOf({ ...call, ...deadLetter.edits }, systemCurrency);
  const differing = stored && received ? differences(stored.call, received) : (deadLetter.differences ?? []);
  return {
    deadLetter,
    call,
    history: historyOf(deadLetter, events),
    stored: stored ?? null,
    differences: stored === undefined ? [] : differing,
  };
}

function cdrOf(fields: Fields, systemCurrency: string): Cdr | null {
  const validation = validate({ ...fields, auth_username: 'kept', auth_password: 'kept' }, new Set());
  return validation.kind === 'valid' ? toCdr(validation.parameters, systemCurrency) : null;
}

/** The deaths by the ordinary way are a number in the row: the first and the latest are told. */
function historyOf(deadLetter: DeadLetterDetail, events: readonly DeadLetterEvent[]): HistoryEvent[] {
  const first = events.find(({ event }) => event === 'replayed');
  const before = first?.detail as Partial<Pick<DeadLetterDetail, 'reason' | 'responses'>> | undefined;
  const born: HistoryEvent = {
    at: deadLetter.first_dead_at,
    event: 'died',
    by: null,
    why: null,
    text: answerText(before?.reason ?? deadLetter.reason, before?.responses ?? deadLetter.responses),
  };
  const replayedDeaths = events.filter(({ event }) => event === 'died' || event === 'merged').length;
  const ordinaryDeaths = deadLetter.deaths - replayedDeaths;
  const told = events.map(({ at, event, by, why, ...rest }) => ({
    at,
    event,
    by,
    why,
    text: textOf(event, rest),
  }));
  const isLatestOrdinary = !events.some(({ event, at }) => event === 'died' && at >= deadLetter.last_dead_at);
  const again: HistoryEvent[] =
    ordinaryDeaths > 1 && isLatestOrdinary
      ? [
          {
            ...born,
            at: deadLetter.last_dead_at,
            text: `sent again and refused again, ${ordinaryDeaths} deaths in all`,
          },
        ]
      : [];
  const isByWorker = deadLetter.status === 'resolved' && !events.some(({ event }) => event === 'resolved');
  const resolved: HistoryEvent[] =
    isByWorker && deadLetter.closed_at !== null
      ? [
          {
            ...born,
            at: deadLetter.closed_at,
            event: 'resolved',
            text: 'tried once more by the worker, alone',
          },
        ]
      : [];
  return [born, ...told, ...again, ...resolved].sort((one, other) => one.at.getTime() - other.at.getTime());
}

function textOf(
  event: DeadLetterEvent['event'],
  { attempt, detail }: Pick<DeadLetterEvent, 'attempt' | 'detail'>,
): string {
  switch (event) {
    case 'edited':
      return Object.entries((detail.set ?? {}) as Record<string, { from: unknown; to: string }>)
        .map(([name, { from, to }]) => `${name}: ${from === null ? 'none' : shown(from)} → ${shown(to)}`)
        .join(', ');
    case 'replayed':
      return `attempt ${attempt}`;
    case 'died':
      return `attempt ${attempt}: ${answerText(String(detail.reason), detail.responses)}`;
    case 'resolved':
      return `attempt ${attempt}: ${detail.stored ? 'stored' : 'stored before with the same content'}, ${detail.code}`;
    case 'merged':
      return attempt === null
        ? `tried alone by the worker: ${detail.reason}${detail.into ? `, kept as dead letter ${detail.into}` : ''}`
        : `attempt ${attempt}: ${detail.reason}, as dead letter ${detail.into} has it already`;
    case 'discarded':
      return '';
    default:
      return event satisfies never;
  }
}

function answerText(reason: string, responses: unknown): string {
  const list = Array.isArray(responses)
    ? (responses as { code: string; key: string; message: string }[])
    : [];
  const texts = list.map(({ code, key, message }) => `${code} ${key === '' ? '' : `${key}: `}${message}`);
  return [reason, ...texts].join('; ');
}
