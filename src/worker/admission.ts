import type { AuthResult, SetAside } from '../auth/verifier.ts';
import type { Fields } from '../domain/body.ts';
import { fingerprint, toCdr } from '../domain/cdr.ts';
import { type Confinement, isReadablyOutside } from '../domain/confinement.ts';
import type { Call } from '../domain/decide.ts';
import type { Operation } from '../domain/operation.ts';
import { clean } from '../domain/text.ts';
import { type ParameterError, validate } from '../domain/validate.ts';
import type { Role } from '../store/users.ts';
import { checkCorrection } from './correction-admission.ts';
import {
  type Admitted,
  operationFor,
  type ParsedRequest,
  type ReadingRules,
  refuse,
  reject,
} from './refusal.ts';
import { deadLetterFor, parse, type Request } from './request.ts';

export type { Admitted, ReadingRules } from './refusal.ts';

/** Whether a sender is who it says: at once where that is known, later where a slow hash must be computed. */
export type Verify<Result = AuthResult> = (username: string, password: string) => Result | Promise<Result>;

export interface AdmissionRules extends ReadingRules {
  verify: Verify;
}

/** The role that may submit calls (docs/interface.md, section 1). */
export const SUBMITTER = 'system';
/** The role that each kind of message takes. */
const ROLE_FOR: Readonly<Record<Operation, Role>> = {
  create: SUBMITTER,
  update: 'commerce',
  void: 'commerce',
};
const VERIFIED = true;
const UNVERIFIED = false;

/**
 * Bytes to call: decode, parse, authenticate, check against the contract. 401 and 402 come before any 400 about
 * another parameter; missing credentials are a 400. Takes every sequence of bytes; rejects only with what `verify` rejects
 * with.
 */
export function admit(request: Request, rules: AdmissionRules): Admitted | Promise<Admitted> {
  return authenticate<never>(request, rules, rules.verify);
}

/** The same for a message of many, which is set aside where its password cannot be checked soon. */
export function admitSoon(
  request: Request,
  rules: ReadingRules & { verifySoon: Verify<AuthResult | SetAside> },
): Admitted | SetAside | Promise<Admitted | SetAside> {
  return authenticate(request, rules, rules.verifySoon);
}

function authenticate<Aside extends SetAside>(
  request: Request,
  rules: ReadingRules,
  verify: Verify<AuthResult | Aside>,
): Admitted | Aside | Promise<Admitted | Aside> {
  const body = parse(request, rules.maxBodyBytes);
  const username = credential(body.fields, 'auth_username');
  const password = credential(body.fields, 'auth_password');
  if (username === undefined || password === undefined)
    return check({ body, request }, '', rules, UNVERIFIED);
  const sender = verify(clean(username), password);
  if (sender instanceof Promise) return proceedLate(sender, request, rules);
  return proceed(sender, { body, request }, rules);
}

/** Apart, so that what it keeps for later is not made for each message, and parsed again: while it waits only its bytes are kept. */
async function proceedLate<Aside extends SetAside>(
  sender: Promise<AuthResult | Aside>,
  request: Request,
  rules: ReadingRules,
): Promise<Admitted | Aside> {
  return proceed(await sender, { body: parse(request, rules.maxBodyBytes), request }, rules);
}

function proceed<Aside extends SetAside>(
  sender: AuthResult | Aside,
  parsed: ParsedRequest,
  rules: ReadingRules,
): Admitted | Aside {
  return sender.kind === 'set aside' ? sender : authorize(parsed, sender, rules);
}

/** A credential that the contract admits; undefined where it is missing, empty or no text. */
function credential(fields: Fields, name: 'auth_username' | 'auth_password'): string | undefined {
  const value = fields[name];
  if (typeof value === 'string' && value !== '') return value;
  return Number.isSafeInteger(value) ? String(value) : undefined;
}

function authorize(parsed: ParsedRequest, sender: AuthResult, rules: ReadingRules): Admitted {
  if (sender.kind === 'unauthenticated')
    return refuse(parsed, { kind: 'unauthenticated' }, rules, UNVERIFIED);
  if (sender.role !== ROLE_FOR[operationFor(parsed.request)])
    return refuse(parsed, { kind: 'forbidden' }, rules, VERIFIED);
  const admitted = check(parsed, sender.username, rules, VERIFIED, sender.confinement);
  admitted.sender = sender.username;
  return admitted;
}

/** A message that somebody vouches for. Calls are stored: a validation request (validation=1) is a call then. */
export function admitVouched(request: Request, rules: ReadingRules): Admitted {
  const body = parse(request, rules.maxBodyBytes);
  if (body.kind === 'unreadable') return check({ body, request }, '', rules, UNVERIFIED);
  const isCall = operationFor(request) === 'create';
  // Into the fields that were just read: a copy of some thirty costs as much as checking them.
  Object.assign(body.fields, {
    auth_username: 'kept',
    auth_password: 'kept',
    ...(isCall && { validation: '0' }),
  });
  return check({ body, request }, '', rules, UNVERIFIED);
}

/** A message with something in place of credentials that is none. */
export function refuseUnvouched(request: Request, rules: ReadingRules): Admitted {
  const body = parse(request, rules.maxBodyBytes);
  return refuse({ body, request }, { kind: 'unauthenticated' }, rules, UNVERIFIED);
}

/**
 * Checks a message against its contract.
 *
 * @param confinement of its sender; what is readably outside of it is refused before anything else that is wrong
 */
function check(
  parsed: ParsedRequest,
  sender: string,
  rules: ReadingRules,
  isVerified: boolean,
  confinement: Confinement | null = null,
): Admitted {
  const operation = operationFor(parsed.request);
  return operation === 'create'
    ? checkCall(parsed, sender, rules, isVerified, confinement)
    : checkCorrection(parsed, { operation, sender, confinement, isVerified }, rules);
}

function checkCall(
  parsed: ParsedRequest,
  submittedBy: string,
  rules: ReadingRules,
  isVerified: boolean,
  confinement: Confinement | null,
): Admitted {
  const { body, request } = parsed;
  if (body.kind === 'unreadable')
    return refuseFor([{ key: body.key, message: body.message }], parsed, rules, isVerified, confinement);
  const validation = validate(body.fields, rules.ignored);
  if (validation.kind === 'invalid')
    return refuseFor(validation.errors, parsed, rules, isVerified, confinement);
  const cdr = toCdr(validation.call, rules.systemCurrency);
  const call: Call = {
    cdr,
    fingerprint: fingerprint(cdr),
    validationOnly: validation.validationOnly,
    submittedBy,
    confinement,
  };
  return {
    kind: 'call',
    call,
    uniqueid: cdr.uniqueid,
    // Parsed again where one is written, which is seldom: what was parsed must not stay while the message is in hand.
    deadLetter: () => deadLetterFor(request, rules, isVerified),
    cleaned: validation.cleaned,
  };
}

/** Refuses a message for what is wrong with it, or for whose it is. */
function refuseFor(
  errors: readonly ParameterError[],
  parsed: ParsedRequest,
  rules: ReadingRules,
  isVerified: boolean,
  confinement: Confinement | null,
): Admitted {
  return confinement !== null && isReadablyOutside(confinement, parsed.body.fields)
    ? refuse(parsed, { kind: 'forbidden', isOutside: true }, rules, isVerified)
    : reject(parsed, errors, rules, isVerified);
}
