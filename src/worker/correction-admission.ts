import { type Confinement, isReadablyOutside } from '../domain/confinement.ts';
import {
  type CorrectingOperation,
  type Correction,
  correctionFingerprint,
  problemOfId,
  problemOfOwnId,
} from '../domain/correction.ts';
import { validateCorrection } from '../domain/correction-contract.ts';
import type { ParameterError } from '../domain/validate.ts';
import { type Admitted, type ParsedRequest, type ReadingRules, refuse, reject } from './refusal.ts';
import { deadLetterFor } from './request.ts';

/** Who asks for a correction. */
export interface Corrector {
  operation: CorrectingOperation;
  /** '' where no user is known to have sent it: an operator may vouch for it. */
  sender: string;
  confinement: Confinement | null;
  isVerified: boolean;
}

/** Checks a correction against its contract. Its message_id becomes the id of its entry. */
export function checkCorrection(
  parsed: ParsedRequest,
  { operation, sender, confinement, isVerified }: Corrector,
  rules: ReadingRules,
): Admitted {
  const { body, request } = parsed;
  const refuseFor = (errors: readonly ParameterError[]) =>
    confinement !== null && isReadablyOutside(confinement, { scustomer: body.fields.customer })
      ? refuse(parsed, { kind: 'forbidden', isOutside: true }, rules, isVerified)
      : reject(parsed, errors, rules, isVerified);
  if (body.kind === 'unreadable') return refuseFor([{ key: body.key, message: body.message }]);
  const validation = validateCorrection(operation, body.fields, rules.ignored);
  const { messageId } = request.properties;
  const problem = sender === '' ? problemOfId(messageId) : problemOfOwnId(messageId);
  const wrongId = problem === null ? [] : [{ key: 'message_id', message: problem }];
  if (validation.kind === 'invalid') return refuseFor([...validation.errors, ...wrongId]);
  if (messageId === null || wrongId.length > 0) return refuseFor(wrongId);
  const { uniqueid, changes } = validation.parameters;
  const correction: Correction = {
    operation,
    id: messageId,
    uniqueid,
    changes,
    fingerprint: correctionFingerprint(operation, validation.parameters),
    bookedBy: sender,
    why: null,
    confinement,
  };
  return {
    kind: 'correction',
    correction,
    uniqueid,
    deadLetter: () => deadLetterFor(request, rules, isVerified),
    cleaned: 0,
  };
}
