import type { OrderOnRecord } from '../store/calls/orders.ts';
import type { LetterOfCall } from '../store/calls/read.ts';
import type { CallStory, StoryCall, StoryEntry } from './story.ts';

/** One thing that happened to a call. */
export type CallEvent = { at: Date } & (
  | { kind: 'died'; letter: LetterOfCall }
  | { kind: 'resolved' | 'discarded'; letter: LetterOfCall }
  | { kind: 'stored'; call: StoryCall }
  /** Asked for by an operator: refused, or not answered yet. What was booked is there as its entries. */
  | { kind: 'asked'; order: OrderOnRecord }
  | { kind: 'booked'; entry: StoryEntry }
);

/** From the first delivery to the latest correction. */
export function eventsOf({ call, entries, deadLetters, orders }: CallStory): CallEvent[] {
  const events: CallEvent[] = [
    ...deadLetters.flatMap(eventsOfLetter),
    ...(call === null ? [] : [{ at: call.received_at, kind: 'stored' as const, call }]),
    ...orders
      .filter(({ responses }) => !responses?.every(({ code }) => code.startsWith('2')))
      .map((order) => ({ at: order.createdAt, kind: 'asked' as const, order })),
    ...entries.map((entry) => ({ at: entry.booked_at, kind: 'booked' as const, entry })),
  ];
  // Stable: the two entries of one correction stay as they follow each other.
  return events.sort((one, other) => one.at.getTime() - other.at.getTime());
}

function eventsOfLetter(letter: LetterOfCall): CallEvent[] {
  const { first_dead_at, closed_at, status } = letter;
  const died: CallEvent = { at: first_dead_at, kind: 'died', letter };
  const isClosed = status === 'resolved' || status === 'discarded';
  return isClosed && closed_at !== null ? [died, { at: closed_at, kind: status, letter }] : [died];
}
