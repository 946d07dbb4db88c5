import { REVERSAL, THE_CALL } from '../domain/entry.ts';
import type { CallStory, StoryEntry } from './story.ts';

/** A stored call as it stands after its corrections, as far as another one can change it. */
export interface InForce {
  /** What the next entry follows: the id of the latest, '' for the call itself. */
  latest: string;
  isVoided: boolean;
  scustomer: number;
  cost: string;
  currency: string;
  taxes: string;
  messages: number;
  time: number;
  /** The invoice that has its amounts, null for none. */
  invoice: number | null;
}

/** Null for a call of which only the uniqueid is kept. */
export function inForceOf({ call, entries }: CallStory): InForce | null {
  if (call === null) return null;
  const { scustomer, cost, currency, taxes, messages, time } = call;
  let state = {
    ...{ scustomer, cost, currency, taxes, messages, time },
    latest: THE_CALL,
    isVoided: false,
    invoice: call.update_invoices === 1 ? call.invoice : null,
    /** The entry whose amounts count. */
    counting: THE_CALL,
  };
  for (const entry of entries) state = after(state, entry);
  const { counting, ...inForce } = state;
  return inForce;
}

/** Whether an entry books amounts of its own; else it takes some back, or says what the call has used of what is included. */
export function booksAmounts({ kind, follows }: Pick<StoryEntry, 'kind' | 'follows'>): boolean {
  return kind === 'new' && follows.endsWith(REVERSAL);
}

function after<State extends InForce & { counting: string }>(before: State, entry: StoryEntry): State {
  const latest = entry.id;
  switch (entry.kind) {
    case 'reversing':
      return { ...before, latest, isVoided: true };
    case 'attaching':
      return { ...before, latest, ...(entry.late_entry === before.counting && { invoice: entry.invoice }) };
    case 'new': {
      const { customer: scustomer, cost, currency, taxes, messages, time } = entry;
      const moved = booksAmounts(entry) && { counting: entry.id, invoice: entry.invoice };
      return {
        ...before,
        latest,
        isVoided: false,
        scustomer,
        cost,
        currency,
        taxes,
        messages,
        time,
        ...moved,
      };
    }
    default:
      return entry.kind satisfies never;
  }
}
