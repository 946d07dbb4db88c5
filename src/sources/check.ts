import { type ParameterError, type Validation, validate } from '../domain/validate.ts';
import type { Feed } from './feed.ts';
import type { MappedCall } from './map.ts';

const NONE: ReadonlySet<string> = new Set();

/** Checks a mapped call against the contract; what is looked up is 0 until the store has found it. */
export function validateMapped({ fields, lookups }: MappedCall): Validation {
  const whole: Record<string, unknown> = { ...fields, auth_username: 'feed', auth_password: 'feed' };
  for (const { parameter } of lookups) whole[parameter] = 0;
  return validate(whole, NONE);
}

/**
 * What the contract, or the feed's list of machines, refuses of a mapped call as far as it can be told without the
 * database: credentials and lookups are taken to be good.
 */
export function refusalsOf({ spec: { machines } }: Feed, call: MappedCall): ParameterError[] {
  const result = validateMapped(call);
  const errors = result.kind === 'invalid' ? [...result.errors] : [];
  const { machine } = call.fields;
  if (machine !== undefined && !machines.includes(String(machine)))
    errors.push({
      key: 'machine',
      message: `expected one of ${machines.join(', ')}, the machines of the feed`,
    });
  return errors;
}
