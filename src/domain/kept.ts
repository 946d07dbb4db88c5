import { type Fields, readBody } from './body.ts';
import { isDecimal, type ParameterName, parameterNames, parameters } from './contract.ts';

/** Parameters that an operator corrected, by name, as text. */
export type Edits = Readonly<Partial<Record<ParameterName, string>>>;

/** What can be corrected: everything that the call says, not who says it, nor whether it is only asked: a replay is a call. */
export const editableNames = parameterNames.filter(
  (name) => name !== 'auth_username' && name !== 'auth_password' && name !== 'validation',
);

export function isEditable(name: string): name is ParameterName {
  return (editableNames as string[]).includes(name);
}

/** What of a dead letter tells the call. */
export interface KeptCall {
  /** The parameters as JSON, or the text of what could not be read when it came, secrets masked. */
  body: string;
  /** Of the message as it came. */
  contentType: string | null;
}

/** The parameters of a kept call without its credentials; null where they cannot be read. */
export function keptFields(body: string): Fields | null {
  const found = readBody(body, 'json', isDecimal);
  if (found.kind !== 'fields') return null;
  const { auth_username, auth_password, ...call } = found.fields;
  return call;
}

/** Whether a kept message only asked (validation=1). */
export function isQuestion(body: string): boolean {
  return parameters.shape.validation.safeParse(keptFields(body)?.validation).data === 1;
}

/** A call as it is sent again: corrected, without credentials; as it came where it cannot be read. */
export function correctedBody(call: KeptCall, edits: Edits): { body: string; contentType: string | null } {
  const fields = keptFields(call.body);
  if (fields === null) return call;
  return { body: JSON.stringify({ ...fields, ...edits }), contentType: 'application/json' };
}

/**
 * Why a call is not sent again as it stands, in one line; null where it is as it came, or what is missing was set.
 *
 * @param altered parameters that were masked or cut when the call was kept, '' for the body as a whole
 */
export function unsendable(altered: readonly string[], edits: Edits): string | null {
  if (altered.includes(''))
    return 'its body could not be read and is not kept as it came: only its sender can send it again';
  // What a replay says of itself needs no correction.
  const open = altered.filter((name) => name !== 'validation' && !Object.hasOwn(edits, name));
  if (open.length === 0) return null;
  return `${open.join(', ')} ${open.length === 1 ? 'is' : 'are'} not kept as it came: --set ${open.join(' and ')} first`;
}
