import { type CallEvent, eventsOf } from '../../calls/events.ts';
import { booksAmounts } from '../../calls/in-force.ts';
import type { CallStory, StoryEntry } from '../../calls/story.ts';
import { answerOf } from '../../dead-letters/format.ts';
import { counted } from '../../plural.ts';
import { type Column, table } from '../components.ts';
import { type Html, html, type Part } from '../html.ts';
import { money, timeAt } from '../values.ts';
import { callsOfCustomer } from './links.ts';
import { invoiceOfCall, invoiceOfEntry } from './story-parts.ts';

/** What became of a call, from its first delivery to its latest correction. */
export function timelineOf(story: CallStory): Html {
  const columns: Column<CallEvent>[] = [
    { name: 'time (UTC)', of: ({ at }) => timeAt(at) },
    { name: 'what', kind: 'head', of: whatOf },
    { name: 'by', of: byWhom },
    { name: 'customer', of: customerOf },
    { name: 'charged', kind: 'number', of: chargedOf },
    { name: 'invoice', of: (event) => invoiceOf(event, story) },
    { name: 'why', kind: 'text', of: whyOf },
  ];
  return table('History of the call', columns, eventsOf(story));
}

const ENTRY_WORDS = {
  reversing: 'reversed',
  new: 'booked anew',
  attaching: 'put on an invoice',
} as const;

function whatOf(event: CallEvent): Part {
  switch (event.kind) {
    case 'died': {
      const { letter } = event;
      const { deaths, replays } = letter;
      return html`refused: ${letter.reason} ${answerOf(letter)} (${letterLink(letter.id)}${deaths > 1 && `, ${counted(deaths, 'death')}`}${replays > 0 && `, ${counted(replays, 'replay')}`})`;
    }
    case 'resolved':
    case 'discarded':
      return html`${letterLink(event.letter.id)} ${event.kind}`;
    case 'stored':
      return 'stored and charged';
    case 'asked':
      return askedWords(event.order);
    case 'booked': {
      const { kind, charged, calls, invoice, late } = event.entry;
      const movesNothing =
        kind === 'new' && calls === 0 && Number(charged) === 0 && invoice === null && !late;
      return movesNothing ? 'messages or included time changed' : ENTRY_WORDS[kind];
    }
    default:
      return event satisfies never;
  }
}

/** An entry that only says what the call has used of what is included. */
function movesNothing(entry: StoryEntry): boolean {
  return entry.kind === 'new' && !booksAmounts(entry);
}

function letterLink(id: number): Html {
  return html`<a href="/dead-letters/${id}">dead letter ${id}</a>`;
}

function askedWords({ operation, responses }: Extract<CallEvent, { kind: 'asked' }>['order']): Part {
  const what = operation === 'void' ? 'voiding asked for' : 'correction asked for';
  if (responses === null) return `${what}: no worker has answered yet`;
  const reasons = responses.map(({ key, message }) => (key === '' ? message : `${key}: ${message}`));
  return `${what}, refused: ${reasons.join('; ')}`;
}

function byWhom(event: CallEvent): Part {
  switch (event.kind) {
    case 'stored': {
      const { submitted_by, replayed_by } = event.call;
      return replayed_by === null || replayed_by === submitted_by
        ? submitted_by
        : `${submitted_by}, replayed by ${replayed_by}`;
    }
    case 'asked':
      return event.order.operator;
    case 'booked':
      return event.entry.booked_by;
    default:
      return null;
  }
}

function customerOf(event: CallEvent): Part {
  if (event.kind === 'stored') return callsOfCustomer(event.call.scustomer, event.call.customer_name);
  return event.kind === 'booked' ? callsOfCustomer(event.entry.customer, event.entry.customer_name) : null;
}

function chargedOf(event: CallEvent): Part {
  if (event.kind === 'booked' && movesNothing(event.entry)) return null;
  const moved = event.kind === 'stored' ? event.call : event.kind === 'booked' ? event.entry : null;
  return moved && money(moved.charged, moved.customer_currency, moved.customer_currency);
}

function invoiceOf(event: CallEvent, { invoices }: CallStory): Part {
  if (event.kind === 'stored') return invoiceOfCall(event.call, invoices);
  return event.kind === 'booked' ? invoiceOfEntry(event.entry, invoices) : null;
}

function whyOf(event: CallEvent): Part {
  if (event.kind === 'asked') return event.order.why;
  return event.kind === 'booked' ? event.entry.why : null;
}
