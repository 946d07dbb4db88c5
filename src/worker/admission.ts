import { isAscii } from 'node:buffer';
import { type Body, type Fields, readBody } from '../domain/body.ts';
import { fingerprint, toCdr } from '../domain/cdr.ts';
import { type Confinement, isOutside, isReadablyOutside } from '../domain/confinement.ts';
import { leftoversIn } from '../domain/content.ts';
import { isDecimal } from '../domain/contract.ts';
import { type DeadLetter, deadLetterOf, deadLetterOfBytes, uniqueidOf } from '../domain/dead-letter.ts';
import type { Call } from '../domain/decide.ts';
import { MASK, shownName } from '../domain/masking.ts';
import type { Outcome } from '../domain/outcome.ts';
import { readReplayHeader, tokenHashOf } from '../domain/replay-header.ts';
import type { Submission } from '../domain/submission.ts';
import { clean } from '../domain/text.ts';
import { type ParameterError, validate } from '../domain/validate.ts';
import { type Decoded, decode, type Request } from './envelope.ts';

/** Whether a sender is who it says: at once where that is known, later where a slow hash must be computed. */
export type Verify<Result = Verdict> = (username: string, password: string) => Result | Promise<Result>;
export type Verdict =
  | { kind: 'ok'; username: string; role: string; confinement?: Confinement | null }
  | { kind: 'unauthenticated' };

/** Its password would be looked at too late, so it must not stay in hand: see `Consumer.setAside`. */
export interface SetAside {
  kind: 'set aside';
}
const SET_ASIDE: SetAside = { kind: 'set aside' };

/** A message as a batch takes it, with what its reply and the metrics need. */
export type Entry = Submission & {
  uniqueid: string | null;
  /** Texts in which something was replaced or cut. */
  cleaned: number;
};

/** A message on its way to be persisted. */
export type Admitted = { deadLetter: () => DeadLetter } & Entry;

export interface AdmissionRules {
  maxBodyBytes: number;
  /** What a dead letter keeps of a body that cannot be read (KEPT_BODY_BYTES). */
  keptBodyBytes: number;
  ignored: ReadonlySet<string>;
  systemCurrency: string;
  verify: Verify;
}

/** The role that may submit calls (interface, section 1). */
const SUBMITTER = 'system';

/**
 * Bytes to call: decode, parse, authenticate, check against the contract. 401 and 402 come before any 400 about
 * another parameter; missing credentials are a 400. Total over bytes; rejects only with what `verify` rejects
 * with.
 */
export function admit(request: Request, rules: AdmissionRules): Admitted | Promise<Admitted> {
  return admitBy(request, rules, rules.verify, (verdict, message) => judged(message, verdict, rules));
}

/** The same for a message of many, which is set aside where its password cannot be looked at soon. */
export function admitSoon(
  request: Request,
  rules: ReadingRules & { verifySoon: Verify<Verdict | { kind: 'crowded' }> },
): Admitted | SetAside | Promise<Admitted | SetAside> {
  return admitBy(request, rules, rules.verifySoon, (verdict, message) =>
    verdict.kind === 'crowded' ? SET_ASIDE : judged(message, verdict, rules),
  );
}

function admitBy<Result, Admission>(
  request: Request,
  rules: ReadingRules,
  verify: Verify<Result>,
  judge: (verdict: Result, message: Message) => Admission,
): Admitted | Admission | Promise<Admission> {
  const message = read(request, rules.maxBodyBytes);
  const { fields } = message.body;
  const username = credential(fields, 'auth_username');
  const password = credential(fields, 'auth_password');
  if (username === undefined || password === undefined) return submitted(message, '', rules, UNVERIFIED);
  const verdict = verify(clean(username), password);
  // Read once more then: while it waits only its bytes are kept.
  if (verdict instanceof Promise)
    return verdict.then((late) => judge(late, read(request, rules.maxBodyBytes)));
  return judge(verdict, message);
}

/** What reading a call needs whose sender is on record elsewhere. */
export type ReadingRules = Omit<AdmissionRules, 'verify'>;

const VERIFIED = true;
const UNVERIFIED = false;

/**
 * A replay of a dead letter: the replay header in its header stands in place of credentials and is checked where the
 * row it names is locked. A replay header of another form than ours is no credential at all.
 */
export function admitReplay(request: Request, header: unknown, rules: ReadingRules): Admitted {
  const message = read(request, rules.maxBodyBytes);
  const replayHeader = readReplayHeader(header);
  if (replayHeader === null) return answered(message, { kind: 'unauthenticated' }, rules, UNVERIFIED);
  const { deadLetter, attempt, token } = replayHeader;
  return {
    ...vouchedFor(message, rules),
    replay: { deadLetter, attempt, tokenHash: tokenHashOf(token, request.body) },
  };
}

/** The body of a replay as the worker would read it. */
export function admitKept(body: Buffer, contentType: string | null, rules: ReadingRules): Admitted {
  const properties = { contentType, replyTo: null, correlationId: null, messageId: null, routingKey: '' };
  return vouchedFor(read({ body, bytes: body.length, properties }, rules.maxBodyBytes), rules);
}

/** Whoever vouches for a message has it stored: what its sender only asked (validation=1) is a call then. */
function vouchedFor(message: Message, rules: ReadingRules): Admitted {
  const { body } = message;
  if (body.kind === 'unreadable') return submitted(message, '', rules, UNVERIFIED);
  const fields = { ...body.fields, auth_username: 'kept', auth_password: 'kept', validation: '0' };
  return submitted({ ...message, body: { kind: 'fields', fields } }, '', rules, UNVERIFIED);
}

/** A message as far as it could be read. */
interface Message {
  body: Body;
  request: Request;
}

function read(request: Request, maxBodyBytes: number): Message {
  const { unreadable } = request;
  const body: Body =
    unreadable === undefined
      ? bodyOf(decode(request, maxBodyBytes))
      : { kind: 'unreadable', fields: {}, key: '', message: unreadable };
  return { body, request };
}

function bodyOf(decoded: Decoded): Body {
  return decoded.kind === 'undecodable'
    ? { kind: 'unreadable', fields: {}, key: '', message: decoded.message }
    : readBody(decoded.text, decoded.format, isDecimal);
}

/** How much of a message is read, and how much is kept of what cannot be read. */
export type KeepingRules = Pick<AdmissionRules, 'maxBodyBytes' | 'keptBodyBytes'>;

/**
 * What a dead letter keeps of a message, as far as it can be read.
 *
 * @param isVerified whether its sender's credentials were looked at and right
 */
export function deadLetterFor(request: Request, rules: KeepingRules, isVerified: boolean): DeadLetter {
  const decoded = decode(asAscii(request), rules.maxBodyBytes);
  const body = bodyOf(decoded);
  return body.kind === 'fields' && decoded.kind === 'text'
    ? deadLetterOf(decoded, body.fields, request.properties, isVerified)
    : deadLetterOfBytes(request, body.fields, request.properties, rules.keptBodyBytes);
}

/** The same without its charset where every byte is ASCII, which is the same text in whatever charset it was declared. */
function asAscii(request: Request): Request {
  const { contentType } = request.properties;
  if (contentType?.includes(';') !== true || !isAscii(request.body)) return request;
  const [type = null] = contentType.split(';');
  return { ...request, properties: { ...request.properties, contentType: type } };
}

function judged(message: Message, verdict: Verdict, rules: ReadingRules): Admitted {
  if (verdict.kind === 'unauthenticated')
    return answered(message, { kind: 'unauthenticated' }, rules, UNVERIFIED);
  if (verdict.role !== SUBMITTER) return answered(message, { kind: 'forbidden' }, rules, VERIFIED);
  return submitted(message, verdict.username, rules, VERIFIED, verdict.confinement);
}

/** @param confinement of its sender; what is readably outside of it is refused before anything else that is wrong. */
function submitted(
  message: Message,
  submittedBy: string,
  rules: ReadingRules,
  isVerified: boolean,
  confinement: Confinement | null = null,
): Admitted {
  const { body, request } = message;
  const refused = (errors: readonly ParameterError[]) =>
    confinement !== null && isReadablyOutside(confinement, body.fields)
      ? answered(message, { kind: 'forbidden', isOutside: true }, rules, isVerified)
      : rejected(message, errors, rules, isVerified);
  if (body.kind === 'unreadable') return refused([{ key: body.key, message: body.message }]);
  const validation = validate(body.fields, rules.ignored);
  if (validation.kind === 'invalid') return refused(validation.errors);
  const cdr = toCdr(validation.parameters, rules.systemCurrency);
  const call: Call = {
    cdr,
    fingerprint: fingerprint(cdr),
    validationOnly: validation.parameters.validation === 1,
    submittedBy,
    isOutside: confinement !== null && isOutside(confinement, cdr),
    confinement,
  };
  return {
    uniqueid: cdr.uniqueid,
    verdict: { kind: 'call', call },
    // Read once more where one is written, which is seldom: what was read must not stay while the message is in hand.
    deadLetter: () => deadLetterFor(request, rules, isVerified),
    cleaned: validation.cleaned,
  };
}

/** The rest of a password with an unescaped & is a parameter's name: a refusal does not repeat it. */
function rejected(
  message: Message,
  errors: readonly ParameterError[],
  rules: ReadingRules,
  isVerified: boolean,
): Admitted {
  // A body at fault as a whole may have any number of names, and none of them is repeated.
  const isWhole = message.body.kind === 'unreadable' && message.body.key === '';
  const leftovers = isWhole ? new Set() : shownLeftovers(message.request, rules.maxBodyBytes);
  const told = errors.map((error) => (leftovers.has(error.key) ? { ...error, key: MASK } : error));
  return answered(message, { kind: 'rejected', errors: told }, rules, isVerified);
}

function shownLeftovers(request: Request, maxBodyBytes: number): Set<string> {
  const decoded = decode(request, maxBodyBytes);
  return new Set(decoded.kind === 'text' ? [...leftoversIn(decoded)].map(shownName) : []);
}

function answered(
  { body, request }: Message,
  outcome: Outcome,
  rules: ReadingRules,
  isVerified: boolean,
): Admitted {
  const { validation } = body.fields;
  const validationOnly = validation === 1 || validation === '1';
  const deadLetter = () => deadLetterFor(request, rules, isVerified);
  return {
    uniqueid: body.kind === 'fields' ? uniqueidOf(body.fields) : deadLetter().uniqueid,
    verdict: { kind: 'answer', outcome, validationOnly },
    deadLetter,
    cleaned: 0,
  };
}

/** A credential that the contract admits; undefined where it is missing, empty or no text. */
function credential(fields: Fields, name: 'auth_username' | 'auth_password'): string | undefined {
  const value = fields[name];
  if (typeof value === 'string' && value !== '') return value;
  return Number.isSafeInteger(value) ? String(value) : undefined;
}
