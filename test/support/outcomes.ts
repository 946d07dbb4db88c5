import { charge } from '../../src/domain/charge.ts';
import type { Outcome } from '../../src/domain/outcome.ts';
import { call, references } from '../domain/references.ts';

/** The outcome of a call that is stored now, where a test does not care which. */
export const ACCEPTED: Extract<Outcome, { kind: 'accepted' }> = accepted();

function accepted(): typeof ACCEPTED {
  const cdr = call();
  const charging = charge(cdr, references());
  if (charging.kind === 'refused') throw new Error('this call cannot be charged');
  return { kind: 'accepted', stored: { call: { cdr }, charge: charging.charge } };
}
