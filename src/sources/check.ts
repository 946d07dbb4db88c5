import { type ParameterError, validate } from '../domain/validate.ts';
import type { Feed } from './feed.ts';
import type { MappedCall } from './map.ts';

const NONE: ReadonlySet<string> = new Set();

/**
 * What the contract, or the feed's list of machines, refuses of a mapped call as far as it can be told without the
 * database: credentials and lookups are taken to be good.
 */
export function refusalsOf({ spec: { machines } }: Feed, { fields, lookups }: MappedCall): ParameterError[] {
  const found = Object.fromEntries(lookups.map(({ parameter }) => [parameter, 0]));
  const result = validate({ ...fields, ...found, auth_username: 'feed', auth_password: 'feed' }, NONE);
  const errors = result.kind === 'invalid' ? [...result.errors] : [];
  const { machine } = fields;
  if (machine !== undefined && !machines.includes(String(machine)))
    errors.push({
      key: 'machine',
      message: `expected one of ${machines.join(', ')}, the machines of the feed`,
    });
  return errors;
}
