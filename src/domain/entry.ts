/**
 * What an entry of a call's corrections does: `reversing` takes back the amounts in force, `new` books others in their place,
 * `attaching` puts amounts on an invoice that none took.
 */
export const entryKinds = ['reversing', 'new', 'attaching'] as const;
export type EntryKind = (typeof entryKinds)[number];

/** What an entry follows where that is the call itself. */
export const THE_CALL = '';

/** Behind the id of an update stands this in the id of its reversing entry, so that no message_id may end with it. */
export const REVERSAL = '#reversal';
