import type { DeadReason } from '../../src/domain/outcome.ts';

/** What may become of a message. */
export type Expectation =
  /** A valid call: stored, or refused because another content has its uniqueid. */
  | { kind: 'call'; fingerprint: string }
  /** A valid correction: its entry is booked, or it is refused because of what is on the books. */
  | { kind: 'correction'; entry: string; fingerprint: string; customer: unknown }
  | { kind: 'refused'; code: string; reasons: readonly DeadReason[] }
  /** validation=1: leaves nothing behind. */
  | { kind: 'question'; codes: readonly string[] };

export type Fields = Record<string, unknown>;
export interface Draft {
  body: Fields | string;
  expected: 'call' | 'correction' | Exclude<Expectation, { kind: 'call' | 'correction' }>;
  operation?: 'update' | 'void';
  /** Of a correction. */
  messageId?: string | null;
}
