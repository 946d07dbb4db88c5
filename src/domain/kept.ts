import { type Fields, readBody } from './body.ts';
import {
  asksForValidation,
  callParameterNames,
  isDecimal,
  type ParameterName,
  parameters,
} from './contract.ts';
import { changeNames, updateParameters } from './correction-contract.ts';
import type { Operation } from './operation.ts';

/** What an operator corrected, by name: the value in place of the one received, null for a parameter that is taken out. */
export type Edits = Readonly<Record<string, string | null>>;

/** What can be set: all but the credentials, and `validation`, since a replay is never a validation request. */
export const editableNames = callParameterNames;

export function isEditable(name: string): name is ParameterName {
  return (editableNames as string[]).includes(name);
}

/** What can be set of a message that asks for this; nothing of a void. */
export const editableIn: Readonly<Record<Operation, readonly string[]>> = {
  create: editableNames,
  update: changeNames,
  void: [],
};

/** What can be set of any message: an update calls the customer otherwise than a call does. */
export const settableNames: readonly string[] = [...new Set(Object.values(editableIn).flat())];

const shapes: Readonly<Record<string, { safeParse: (value: unknown) => { success: boolean } }>> = {
  ...updateParameters.shape,
  ...parameters.shape,
};

/** Whether a value is one that a parameter takes. */
export function takes(name: string, value: string): boolean {
  return Object.hasOwn(shapes, name) && shapes[name]?.safeParse(value).success === true;
}

/** A call of the contract as its dead letter keeps it. */
export interface KeptCall {
  /** The parameters as JSON, or the text that could not be read, with secrets masked. */
  body: string;
  /** Of the original message. */
  contentType: string | null;
}

/** What a replay starts from: the body as it was kept, or the one that an operator wrote in its place. */
export interface KeptBodies {
  body: string;
  /** The operator's; null where the body as it was kept counts. */
  mendedBody: string | null;
  /** What was masked or cut in `body`: parameter names, '' for the body as a whole. */
  altered: readonly string[];
}

/** The body that counts, and what of it is not as it was sent. */
export function countingBody({ body, mendedBody, altered }: KeptBodies): {
  body: string;
  altered: readonly string[];
} {
  return mendedBody === null ? { body, altered } : { body: mendedBody, altered: [] };
}

/** The parameters of a kept call of the contract without credentials; null if they cannot be read. */
export function keptFields(body: string): Fields | null {
  const found = readBody(body, 'json', isDecimal);
  if (found.kind !== 'fields') return null;
  const { auth_username, auth_password, ...call } = found.fields;
  return call;
}

/** Whether a kept message only asked for validation. */
export function isValidationRequest(body: string): boolean {
  return asksForValidation(keptFields(body) ?? {});
}

/** Parameters with what an operator corrected. */
export function withEdits(fields: Fields, edits: Edits): Fields {
  if (Object.keys(edits).length === 0) return fields;
  const all = { ...fields, ...edits };
  const isTakenOut = (name: string) => Object.hasOwn(edits, name) && edits[name] === null;
  return Object.fromEntries(Object.entries(all).filter(([name]) => !isTakenOut(name)));
}

/** A call as it is replayed: corrected and without credentials; as received if it cannot be read. */
export function correctedBody(call: KeptCall, edits: Edits): { body: string; contentType: string | null } {
  const fields = keptFields(call.body);
  if (fields === null) return call;
  return { body: JSON.stringify(withEdits(fields, edits)), contentType: 'application/json' };
}

/**
 * Why a call cannot be replayed, in one line; null if it can. What was masked or cut must be corrected first.
 *
 * @param altered parameters that were masked or cut, '' for the body as a whole
 */
export function unsendable(altered: readonly string[], edits: Edits): string | null {
  if (altered.includes('')) return 'the body was masked or cut: replace it, or have its sender send it again';
  // A replay sets `validation` itself.
  const open = altered.filter((name) => name !== 'validation' && !Object.hasOwn(edits, name));
  if (open.length === 0) return null;
  return `${open.join(', ')} ${open.length === 1 ? 'was' : 'were'} masked or cut and must be corrected first`;
}
