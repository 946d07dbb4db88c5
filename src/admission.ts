import { decode, type Request } from './broker/envelope.ts';
import { type Fields, readBody } from './domain/body.ts';
import { fingerprint, toCdr } from './domain/cdr.ts';
import { isDecimal } from './domain/contract.ts';
import type { Call } from './domain/decide.ts';
import { letterOf, letterOfText } from './domain/letter.ts';
import type { Outcome } from './domain/outcome.ts';
import type { Submission } from './domain/submission.ts';
import { clean } from './domain/text.ts';
import { validate } from './domain/validate.ts';

/** Whether a sender is who it says: at once where that is known, later where a slow hash must be computed. */
export type Verify = (username: string, password: string) => Verdict | Promise<Verdict>;
export type Verdict = { kind: 'ok'; username: string; role: string } | { kind: 'unauthenticated' };

/** A message on its way to be settled, with what its reply and the metrics need. */
export type Admitted = Submission & {
  uniqueid: string | null;
  /** Texts in which something was replaced or cut. */
  cleaned: number;
};

export interface AdmissionRules {
  maxBodyBytes: number;
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
  const decoded = decode(request, rules.maxBodyBytes);
  if (decoded.kind === 'undecodable') return unreadable(request, decoded.text, '', decoded.message);
  const body = readBody(decoded.text, decoded.format, isDecimal);
  if (body.kind === 'unreadable') return unreadable(request, decoded.text, body.key, body.message);

  const { fields } = body;
  const username = credential(fields, 'auth_username');
  const password = credential(fields, 'auth_password');
  if (username === undefined || password === undefined) return submitted(request, fields, '', rules);
  const verdict = rules.verify(clean(username), password);
  if (verdict instanceof Promise) return verdict.then((late) => judged(request, fields, late, rules));
  return judged(request, fields, verdict, rules);
}

function judged(request: Request, fields: Fields, verdict: Verdict, rules: AdmissionRules): Admitted {
  if (verdict.kind === 'unauthenticated') return answered(request, fields, { kind: 'unauthenticated' });
  if (verdict.role !== SUBMITTER) return answered(request, fields, { kind: 'forbidden' });
  return submitted(request, fields, verdict.username, rules);
}

function submitted(request: Request, fields: Fields, submittedBy: string, rules: AdmissionRules): Admitted {
  const validation = validate(fields, rules.ignored);
  if (validation.kind === 'invalid')
    return answered(request, fields, { kind: 'rejected', errors: validation.errors });
  const cdr = toCdr(validation.parameters, rules.systemCurrency);
  const validationOnly = validation.parameters.validation === 1;
  const call: Call = { cdr, fingerprint: fingerprint(cdr), validationOnly, submittedBy };
  return {
    uniqueid: cdr.uniqueid,
    verdict: { kind: 'call', call },
    letter: () => letterOf(fields, request.properties),
    cleaned: validation.cleaned,
  };
}

function answered(request: Request, fields: Fields, outcome: Outcome): Admitted {
  const validationOnly = fields.validation === 1 || fields.validation === '1';
  const letter = () => letterOf(fields, request.properties);
  return {
    uniqueid: letter().uniqueid,
    verdict: { kind: 'answer', outcome, validationOnly },
    letter,
    cleaned: 0,
  };
}

function unreadable(request: Request, text: string, key: string, message: string): Admitted {
  const outcome: Outcome = { kind: 'rejected', errors: [{ key, message }] };
  return {
    uniqueid: null,
    verdict: { kind: 'answer', outcome, validationOnly: false },
    letter: () => letterOfText(text, request.properties),
    cleaned: 0,
  };
}

/** A credential that the contract admits; undefined where it is missing, empty or no text. */
function credential(fields: Fields, name: 'auth_username' | 'auth_password'): string | undefined {
  const value = fields[name];
  if (typeof value === 'string' && value !== '') return value;
  return Number.isSafeInteger(value) ? String(value) : undefined;
}
