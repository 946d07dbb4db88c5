import { type Cdr, differences } from './cdr.ts';
import { type Charge, charge, type References } from './charge.ts';
import { type Confinement, isOutside } from './confinement.ts';
import type { Lookup } from './lookup.ts';
import type { Outcome } from './outcome.ts';

/** A call that passed the contract and whose sender may submit it. */
export interface Call {
  cdr: Cdr;
  /** SHA-256 of the call, hex. */
  fingerprint: string;
  /** validation=1: the sender only asks. */
  validationOnly: boolean;
  submittedBy: string;
  /** Its machine or customer is not one of those that its sender is confined to. */
  isOutside?: boolean;
  /** Of its sender; replays have none. */
  confinement?: Confinement | null;
  /** The operator who replayed it; only of replays. */
  replayedBy?: string;
  /** Only of calls that came by a feed. */
  feed?: FeedOfCall;
}

/** By which feed a call came, and what of it the store has to find: `cdr` has 0 in the place of each until then. */
export interface FeedOfCall {
  source: string;
  lookups: readonly Lookup[];
}

/** What a call becomes: stored with its charge, or answered without storing anything. */
export type Decision =
  | { kind: 'store'; charge: Charge }
  | { kind: 'answer'; outcome: Outcome }
  /**
   * Differs from the call that has its uniqueid, which is stored already or is about to be stored with this batch.
   * What differs is known when that call can be read from the database.
   */
  | { kind: 'compare' };

/**
 * Decides each call of a batch in the order of arrival, as if they had come one by one: of several with one
 * uniqueid the first is stored and the others are compared with it. A uniqueid that is stored already is
 * answered from what is stored, before any reference is checked, and before its sender's confinement, which may have
 * changed since (docs/interface.md, sections 1 and 3).
 *
 * @param stored fingerprints (hex) of stored calls by uniqueid
 */
export function decide(
  calls: readonly Call[],
  stored: ReadonlyMap<string, string>,
  references: References,
): Decision[] {
  const taken = new Map<string, string>();
  return calls.map((call) => {
    const { uniqueid } = call.cdr;
    const before = stored.get(uniqueid) ?? taken.get(uniqueid);
    if (before !== undefined)
      return before === call.fingerprint ? answer(outcomeOfRepeat(call)) : { kind: 'compare' };
    if (call.isOutside) return answer({ kind: 'forbidden', isOutside: true });
    const charging = charge(call.cdr, references);
    if (charging.kind === 'refused') return answer({ kind: 'rejected', errors: charging.errors });
    if (call.validationOnly) return answer({ kind: 'validated' });
    taken.set(uniqueid, call.fingerprint);
    return { kind: 'store', charge: charging.charge };
  });
}

/** The outcome of a call whose uniqueid is stored with another fingerprint: a conflict if anything differs. */
export function compare(stored: Cdr, call: Call): Outcome {
  const found = differences(stored, call.cdr);
  if (found.length === 0) return outcomeOfRepeat(call);
  const conflict: Outcome = { kind: 'conflict', differences: found };
  // Names alone would tell which of a sender's guesses are right.
  return call.confinement && isOutside(call.confinement, stored)
    ? { ...conflict, isForeign: true }
    : conflict;
}

function outcomeOfRepeat(call: Call): Outcome {
  return call.validationOnly ? { kind: 'validated' } : { kind: 'duplicate' };
}

function answer(outcome: Outcome): Decision {
  return { kind: 'answer', outcome };
}
