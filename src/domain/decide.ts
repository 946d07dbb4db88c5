import { type Cdr, type Difference, differences } from './cdr.ts';
import { type Charge, type Charging, charge, type References } from './charge.ts';
import { type Confinement, isOutside } from './confinement.ts';
import type { FeedOfCall } from './lookup.ts';
import type { Outcome } from './outcome.ts';
import { isUnresolved, unresolvedErrors } from './resolve.ts';
import type { ParameterError } from './validate.ts';

/** A call that passed the contract and whose sender may submit it. */
export interface Call {
  cdr: Cdr;
  /** SHA-256 of what was said of the call, hex. */
  fingerprint: string;
  /** validation=1: the sender only asks. */
  validationOnly: boolean;
  submittedBy: string;
  /** Of its sender; replays have none. */
  confinement?: Confinement | null;
  /** The operator who replayed it; only of replays. */
  replayedBy?: string;
  /** Only of calls that came by a feed. */
  feed?: FeedOfCall;
}

/** A stored call as it was submitted. */
export interface CallOnRecord {
  cdr: Cdr;
  /** The feed that it came by, null for a message that speaks the contract. */
  source: string | null;
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
 * @param calls with their lookups resolved (resolve.ts)
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
    if (isForbidden(call)) return answer({ kind: 'forbidden', isOutside: true });
    const charging = charge(call.cdr, references);
    const isWrong = charging.kind === 'refused' || call.feed?.unresolved !== undefined;
    const errors = isWrong ? errorsOf(call, charging) : [];
    if (charging.kind === 'refused' || errors.length > 0) return answer({ kind: 'rejected', errors });
    if (call.validationOnly) return answer({ kind: 'validated' });
    taken.set(uniqueid, call.fingerprint);
    return { kind: 'store', charge: charging.charge };
  });
}

/** What is readably outside of its sender's confinement: without its customer a call has only its machine. */
function isForbidden(call: Call): boolean {
  const { machine, scustomer } = call.cdr;
  if (!call.confinement) return false;
  return isOutside(call.confinement, {
    machine,
    scustomer: isUnresolved(call, 'scustomer') ? null : scustomer,
  });
}

/** What the call names that cannot be found. Whose its invoice is cannot be told without its customer. */
function errorsOf(call: Call, charging: Charging): ParameterError[] {
  const errors = charging.kind === 'refused' ? charging.errors : [];
  const told = errors.filter(
    ({ key }) => !isUnresolved(call, key) && !(key === 'invoice' && isUnresolved(call, 'scustomer')),
  );
  return [...unresolvedErrors(call), ...told];
}

/**
 * The outcome of a call whose uniqueid is stored with another fingerprint: a conflict if anything differs. A value that
 * could not be looked up is not known to differ: where all others are the same, the call is refused for that one.
 */
export function compare(stored: CallOnRecord, call: Call): Outcome {
  const found = [...differences(stored.cdr, call.cdr), ...differentSource(stored, call)].filter(
    ({ parameter }) => !isUnresolved(call, parameter),
  );
  const unresolved = unresolvedErrors(call);
  if (found.length === 0)
    return unresolved.length > 0 ? { kind: 'rejected', errors: unresolved } : outcomeOfRepeat(call);
  const conflict: Outcome = { kind: 'conflict', differences: found };
  // Names alone would tell which of a sender's guesses are right.
  return call.confinement && isOutside(call.confinement, stored.cdr)
    ? { ...conflict, isForeign: true }
    : conflict;
}

/** The same call by two feeds: one of them should have left it out. */
function differentSource({ source }: CallOnRecord, { feed }: Call): Difference[] {
  if (source === null || feed === undefined || source === feed.source) return [];
  return [{ parameter: 'source', stored: source, received: feed.source }];
}

function outcomeOfRepeat(call: Call): Outcome {
  return call.validationOnly ? { kind: 'validated' } : { kind: 'duplicate' };
}

function answer(outcome: Outcome): Decision {
  return { kind: 'answer', outcome };
}
