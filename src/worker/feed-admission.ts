import type { AuthResult } from '../auth/verifier.ts';
import { type Confinement, isReadablyOutside } from '../domain/confinement.ts';
import { type DeadLetter, uniqueidOf } from '../domain/dead-letter.ts';
import type { Outcome } from '../domain/outcome.ts';
import type { RecordEdits } from '../domain/record-replay.ts';
import type { Skipped } from '../domain/submission.ts';
import { shown } from '../domain/text.ts';
import type { ParameterError } from '../domain/validate.ts';
import { callOf } from '../sources/call.ts';
import type { Feed } from '../sources/feed.ts';
import { type Mapped, mapRecord } from '../sources/map.ts';
import { type Admitted, type ReadingRules, SUBMITTER } from './admission.ts';
import { feedDeadLetterFor } from './feed-dead-letter.ts';
import { decode, type Request } from './request.ts';

/** What admission needs to know about a record. */
export interface RecordRules extends ReadingRules {
  /** Who a feed's calls are stored for; later where the users must be read. */
  identify: (username: string) => AuthResult | Promise<AuthResult>;
}

const VERIFIED = true;
const UNVERIFIED = false;

/** A record of a feed, mapped. */
interface MappedRequest {
  request: Request;
  feed: Feed;
  mapped: Exclude<Mapped, { kind: 'skip' }>;
}

/**
 * A feed's record to a call: decode, map, see whether its user may submit calls, check against the contract. Whoever may
 * write to the feed's exchange is its sender; credentials in the record are ignored. Takes every sequence of bytes; rejects
 * only with what `identify` rejects with.
 */
export function admitRecord(
  request: Request,
  feed: Feed,
  rules: RecordRules,
): Admitted | Skipped | Promise<Admitted> {
  const mapped = mapRequest(request, feed, rules.maxBodyBytes);
  if (mapped.kind === 'skip') {
    const { sequence } = mapped;
    return { kind: 'skipped', source: feed.name, sequence };
  }
  const record = { request, feed, mapped };
  const user = rules.identify(feed.spec.as);
  return user instanceof Promise
    ? user.then((late) => authorize(record, late, rules))
    : authorize(record, user, rules);
}

/**
 * A record that somebody vouches for: a replay of its dead letter. Mapped with the file of today.
 *
 * @param edits contract parameters that stand in place of what the map says
 */
export function admitVouchedRecord(
  text: string,
  feed: Feed,
  edits: RecordEdits,
  request: Request,
  rules: ReadingRules,
): Admitted {
  const mapped = mapRecord(feed, text, edits);
  if (mapped.kind !== 'skip') return checkRecord({ request, feed, mapped }, rules, UNVERIFIED, null);
  const message = `the sources file skips records whose ${mapped.field} is ${shown(mapped.value)}`;
  return checkRecord({ request, feed, mapped: unmapped(message) }, rules, UNVERIFIED, null);
}

function unmapped(message: string): MappedRequest['mapped'] {
  return { kind: 'unmapped', errors: [{ key: '', message }], fields: {}, sequence: null };
}

function mapRequest(request: Request, feed: Feed, maxBodyBytes: number): Mapped {
  if (request.unreadable !== undefined) return unmapped(request.unreadable);
  const decoded = decode(request, maxBodyBytes);
  return decoded.kind === 'text' ? mapRecord(feed, decoded.text) : unmapped(decoded.message);
}

function authorize(record: MappedRequest, user: AuthResult, rules: ReadingRules): Admitted {
  if (user.kind === 'unauthenticated') return refuse(record, { kind: 'unauthenticated' }, rules, UNVERIFIED);
  if (user.role !== SUBMITTER) return refuse(record, { kind: 'forbidden' }, rules, VERIFIED);
  return checkRecord(record, rules, VERIFIED, confinementOf(record.feed, user.confinement ?? null));
}

/** The machines that both the file and the user allow, and the customers of the user. */
function confinementOf({ machines }: Feed, ofUser: Confinement | null): Confinement {
  const allowed = ofUser?.machines;
  return {
    machines: allowed ? new Set([...machines].filter((machine) => allowed.has(machine))) : machines,
    customers: ofUser?.customers ?? null,
  };
}

/**
 * Checks what the map has made of a record against the contract.
 *
 * @param confinement null where an operator vouches for the record
 */
function checkRecord(
  record: MappedRequest,
  rules: ReadingRules,
  isVerified: boolean,
  confinement: Confinement | null,
): Admitted {
  const { mapped, feed, request } = record;
  const refuseFor = (errors: readonly ParameterError[]): Outcome =>
    confinement !== null && isReadablyOutside(confinement, mapped.fields)
      ? { kind: 'forbidden', isOutside: true }
      : { kind: 'rejected', errors };
  if (mapped.kind === 'unmapped') return refuse(record, refuseFor(mapped.errors), rules, isVerified);
  const read = callOf(feed, mapped, rules.systemCurrency);
  if (read.kind === 'invalid') return refuse(record, refuseFor(read.errors), rules, isVerified);
  return {
    kind: 'call',
    call: { ...read.call, confinement },
    uniqueid: read.call.cdr.uniqueid,
    deadLetter: deadLetterLater(request, feed, rules, isVerified),
    cleaned: read.cleaned,
    source: feed.name,
    sequence: mapped.sequence,
    isTimeGuessed: mapped.isTimeGuessed,
  };
}

function refuse(
  { request, feed, mapped }: MappedRequest,
  outcome: Outcome,
  rules: ReadingRules,
  isVerified: boolean,
): Admitted {
  return {
    kind: 'decided',
    outcome,
    validationOnly: false,
    uniqueid: uniqueidOf(mapped.fields),
    deadLetter: deadLetterLater(request, feed, rules, isVerified),
    cleaned: 0,
    source: feed.name,
    sequence: mapped.sequence,
  };
}

/**
 * Mapped again where one is written, which is seldom. A function of its own, so that what was mapped does not stay with it
 * while the message is in hand.
 */
function deadLetterLater(
  request: Request,
  feed: Feed,
  rules: ReadingRules,
  isVerified: boolean,
): () => DeadLetter {
  return () => feedDeadLetterFor(request, feed, rules, isVerified);
}
