import * as z from 'zod';
import type { Fields } from './body.ts';
import {
  count,
  currencyCode,
  decimal,
  id,
  identifier,
  type Kind,
  parameter,
  required,
  rowIn,
  secret,
  taxList,
} from './contract.ts';
import type { IgnoredNames } from './ignored.ts';
import { ERRORS_MAX, type ParameterError, refusal, unknownParameter } from './validate.ts';

const UNCHANGED = 'Unchanged.';

/** Missing or empty, the call keeps what it has. */
function change<Value>({ read, json, ...documented }: Kind<Value>, description: string) {
  return parameter<Value | null>(
    (value) => (value === undefined || value === '' ? null : read(value)),
    { ...documented, description, required: false, defaultText: UNCHANGED },
    {
      description: `${description} ${documented.expected}; default: ${UNCHANGED}`,
      anyOf: [{ type: 'string', const: '' }, json],
    },
  );
}

/** An empty list is one: it is the only way to say that a call has no taxes any more. */
function taxesChange() {
  const { read, json, ...documented } = taxList;
  const description = 'Comma separated list of taxes to apply, empty for none.';
  return parameter<string | null>(
    (value) => {
      if (value === undefined) return null;
      return value === '' ? '' : read(value);
    },
    { ...documented, description, required: false, defaultText: UNCHANGED },
    { description: `${description} ${documented.expected}; default: ${UNCHANGED}`, ...json },
  );
}

const whose = {
  auth_username: required(secret, 'Authentication username.'),
  auth_password: required(secret, 'Authentication password.'),
  uniqueid: required(identifier, 'Uniqueid.'),
};

/** The parameters of cdrs/void. */
export const voidParameters = z.strictObject(whose);

/** The parameters of cdrs/update. */
export const updateParameters = z.strictObject({
  ...whose,
  customer: change(id, 'ID of customer making call.'),
  cost: change(decimal, 'Cost to customer making call.'),
  currency: change(currencyCode, 'Currency cost is in.'),
  messages: change(count, 'Number of included messages used.'),
  taxes: taxesChange(),
  time: change(count, 'Included time used in seconds.'),
});

/** What an update changes; null for what it leaves as it is. */
export type Changes = Omit<z.output<typeof updateParameters>, keyof typeof whose>;
export type ChangeName = keyof Changes;

/** In the order of the contract. */
export const changeNames: readonly ChangeName[] = [
  'customer',
  'cost',
  'currency',
  'messages',
  'taxes',
  'time',
];

export const NO_CHANGES: Changes = {
  customer: null,
  cost: null,
  currency: null,
  messages: null,
  taxes: null,
  time: null,
};

/** What a correction says of its call. */
export interface CorrectionParameters {
  uniqueid: string;
  changes: Changes;
}

export type CorrectionValidation =
  | { kind: 'valid'; parameters: CorrectionParameters }
  | { kind: 'invalid'; errors: ParameterError[] };

/**
 * Checks the parameters of a correction and reports everything that is wrong at once.
 *
 * @param ignored names beyond the contract that are left out; those of the correction itself never are
 */
export function validateCorrection(
  operation: 'update' | 'void',
  fields: Fields,
  ignored: IgnoredNames,
): CorrectionValidation {
  const { shape } = operation === 'update' ? updateParameters : voidParameters;
  const names = Object.keys(shape);
  const known = Object.fromEntries(
    Object.entries(fields).filter(([name]) => Object.hasOwn(shape, name) || !ignored.has(name)),
  );
  const result = operation === 'update' ? updateParameters.safeParse(known) : voidParameters.safeParse(known);
  if (!result.success) {
    const wrong = new Set(result.error.issues.map((issue) => issue.path[0]));
    const errors = names
      .filter((name) => wrong.has(name))
      .map((name) => refusal(name, known, rowIn(shape, name)));
    const strange = Object.keys(known).filter((name) => !Object.hasOwn(shape, name));
    const unknown = strange.slice(0, ERRORS_MAX).map((name) => unknownParameter(name, operation));
    return { kind: 'invalid', errors: [...errors, ...unknown].slice(0, ERRORS_MAX) };
  }
  const { uniqueid, auth_username, auth_password, ...changes } = result.data;
  const parameters = { uniqueid, changes: { ...NO_CHANGES, ...changes } };
  if (operation === 'void' || changeNames.some((name) => parameters.changes[name] !== null))
    return { kind: 'valid', parameters };
  return {
    kind: 'invalid',
    errors: [{ key: '', message: `nothing to change: expected one of ${changeNames.join(', ')}` }],
  };
}
