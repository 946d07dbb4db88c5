import type { Body } from '../domain/body.ts';
import { leftoversIn } from '../domain/content.ts';
import { type DeadLetter, uniqueidOf } from '../domain/dead-letter.ts';
import type { IgnoredNames } from '../domain/ignored.ts';
import { MASK, shownName } from '../domain/masking.ts';
import { type Operation, operationOf } from '../domain/operation.ts';
import type { Outcome } from '../domain/outcome.ts';
import type { Submission } from '../domain/submission.ts';
import type { ParameterError } from '../domain/validate.ts';
import { deadLetterFor, decode, type KeepingRules, type Request } from './request.ts';

/** A submission as it is admitted: nothing of it is kept yet. */
export type Admitted = { deadLetter: () => DeadLetter } & Submission;

/** What admission needs to know about a message whose sender is verified elsewhere. */
export interface ReadingRules extends KeepingRules {
  ignored: IgnoredNames;
  systemCurrency: string;
}

/** A request that has been parsed. */
export interface ParsedRequest {
  body: Body;
  request: Request;
}

/** What a message of the contract asks for. */
export function operationFor({ properties }: Request): Operation {
  return operationOf(properties.routingKey);
}

/** The rest of a password with an unescaped & is a parameter's name: a refusal does not repeat it. */
export function reject(
  parsed: ParsedRequest,
  errors: readonly ParameterError[],
  rules: ReadingRules,
  isVerified: boolean,
): Admitted {
  // A body at fault as a whole may have any number of names, and none of them is repeated.
  const isWhole = parsed.body.kind === 'unreadable' && parsed.body.key === '';
  const leftovers = isWhole ? new Set() : shownLeftovers(parsed.request, rules.maxBodyBytes);
  const told = errors.map((error) => (leftovers.has(error.key) ? { ...error, key: MASK } : error));
  return refuse(parsed, { kind: 'rejected', errors: told }, rules, isVerified);
}

function shownLeftovers(request: Request, maxBodyBytes: number): Set<string> {
  const decoded = decode(request, maxBodyBytes);
  return new Set(decoded.kind === 'text' ? [...leftoversIn(decoded)].map(shownName) : []);
}

export function refuse(
  { body, request }: ParsedRequest,
  outcome: Outcome,
  rules: ReadingRules,
  isVerified: boolean,
): Admitted {
  const { validation } = body.fields;
  const deadLetter = () => deadLetterFor(request, rules, isVerified);
  return {
    kind: 'decided',
    outcome,
    validationOnly: operationFor(request) === 'create' && (validation === 1 || validation === '1'),
    uniqueid: body.kind === 'fields' ? uniqueidOf(body.fields) : deadLetter().uniqueid,
    deadLetter,
    cleaned: 0,
  };
}
