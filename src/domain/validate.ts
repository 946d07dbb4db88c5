import type { Fields } from './body.ts';
import {
  asksForValidation,
  type CallParameters,
  callParameterNames,
  INTEGER_MAX,
  type ParameterRow,
  parameterNames,
  parameterRow,
  parameters,
  readCall,
} from './contract.ts';
import type { IgnoredNames } from './ignored.ts';
import { maskCallText, shownName } from './masking.ts';
import type { Operation } from './operation.ts';
import { looksSecret } from './secrets.ts';
import { shown } from './text.ts';

/** What is wrong with one parameter. */
export interface ParameterError {
  key: string;
  message: string;
}

export type Validation =
  | { kind: 'valid'; call: CallParameters; validationOnly: boolean; cleaned: number }
  | { kind: 'invalid'; errors: ParameterError[] };

/** The most entries of a refusal: a body of garbage must not be answered with a larger one. */
export const ERRORS_MAX = 50;

/**
 * Checks a message against the contract and reports everything that is wrong at once.
 *
 * @param ignored left out before anything is checked
 */
export function validate(fields: Fields, ignored: IgnoredNames): Validation {
  const known = ignored.size === 0 ? fields : without(fields, ignored);
  const call = readCall(known);
  if (call === undefined) return { kind: 'invalid', errors: errorsIn(known) };
  const errors = relations(call);
  if (errors.length > 0) return { kind: 'invalid', errors };
  return {
    kind: 'valid',
    call,
    validationOnly: asksForValidation(known),
    cleaned: countCleaned(known, call),
  };
}

/** Of a message that does not keep the contract. */
function errorsIn(known: Fields): ParameterError[] {
  const unknown = Object.keys(known).filter((name) => parameterRow(name) === undefined);
  const wrong = new Set(parameters.safeParse(known).error?.issues.map((issue) => issue.path[0]));
  const errors = parameterNames
    .filter((name) => wrong.has(name))
    .map((name) => refusal(name, known, parameterRow(name)));
  const strange = unknown.slice(0, ERRORS_MAX).map((name) => unknownParameter(name, 'create'));
  return [...errors, ...relationsAmong(known), ...strange].slice(0, ERRORS_MAX);
}

/** What is wrong with a parameter, by what its row says was expected. */
export function refusal(name: string, fields: Fields, row: ParameterRow | undefined): ParameterError {
  const expected = row?.expected ?? '';
  const value = Object.hasOwn(fields, name) ? fields[name] : undefined;
  if (value === undefined || value === '') return { key: name, message: `required: expected ${expected}` };
  if (looksSecret(name)) return { key: name, message: `expected ${expected}` };
  return {
    key: name,
    message: `expected ${expected}, got ${shown(typeof value === 'string' ? maskCallText(value) : value)}`,
  };
}

export function unknownParameter(name: string, operation: Operation): ParameterError {
  return {
    key: shownName(name),
    message: `unknown parameter: not part of cdrs/${operation}`,
  };
}

/** The rules between the times of a call (docs/interface.md, section 4). */
function relations(
  given: Pick<CallParameters, 'start' | 'end' | 'talktime' | 'totaltime'>,
): ParameterError[] {
  const { start, end, talktime, totaltime } = given;
  if (end === null) return [];
  if (end < start) return [{ key: 'end', message: `expected end at or after start (${start}), got ${end}` }];
  if (end - start > INTEGER_MAX && (talktime === null || totaltime === null)) {
    return [
      { key: 'end', message: `expected at most ${INTEGER_MAX} seconds after start, got ${end - start}` },
    ];
  }
  return [];
}

/** The same if other parameters are wrong, as far as the times can be read. */
function relationsAmong(fields: Fields): ParameterError[] {
  const { start, end, talktime, totaltime } = parameters.shape;
  const read = {
    start: start.safeParse(fields.start),
    end: end.safeParse(fields.end),
    talktime: talktime.safeParse(fields.talktime),
    totaltime: totaltime.safeParse(fields.totaltime),
  };
  if (!read.start.success || !read.end.success) return [];
  return relations({
    start: read.start.data,
    end: read.end.data,
    talktime: read.talktime.data ?? null,
    totaltime: read.totaltime.data ?? null,
  });
}

/** Parameters with text of callers, which is never refused. */
const texts = callParameterNames.filter((name) => parameterRow(name)?.expected === 'text');

/** How many texts had characters replaced or were cut. */
function countCleaned(fields: Fields, values: CallParameters): number {
  let cleaned = 0;
  for (const name of texts) {
    const given = fields[name];
    if (typeof given === 'string' && given !== '' && given !== values[name]) cleaned += 1;
  }
  return cleaned;
}

function without(fields: Fields, ignored: IgnoredNames): Fields {
  return Object.fromEntries(Object.entries(fields).filter(([name]) => !ignored.has(name)));
}
