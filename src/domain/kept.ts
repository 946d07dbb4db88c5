import { type Fields, readBody } from './body.ts';
import { isDecimal, type ParameterName, parameterNames } from './contract.ts';
import { MASK } from './secrets.ts';

/** Parameters that an operator corrected, by name, as text. */
export type Edits = Readonly<Partial<Record<ParameterName, string>>>;

/** What can be corrected: everything that the call says, not who says it. */
export const editableNames = parameterNames.filter(
  (name) => name !== 'auth_username' && name !== 'auth_password',
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
export function keptFields({ body, contentType }: KeptCall): Fields | null {
  const readings = [
    () => readBody(body, 'json', isDecimal),
    // A mask is put where a quoted value stood, which leaves no JSON.
    () => readBody(body.replaceAll(`:${MASK}`, `:"${MASK}"`), 'json', isDecimal),
    () => readBody(body, 'form', isDecimal),
  ];
  const isForm = /x-www-form-urlencoded/i.test(contentType ?? '');
  for (const read of isForm ? readings : readings.slice(0, 2)) {
    const found = read();
    if (found.kind === 'fields') {
      const { auth_username, auth_password, ...call } = found.fields;
      return call;
    }
  }
  return null;
}

/** A call as it is sent again: corrected, without credentials; as it came where it cannot be read. */
export function correctedBody(call: KeptCall, edits: Edits): { body: string; contentType: string | null } {
  const fields = keptFields(call);
  if (fields === null) return call;
  return { body: JSON.stringify({ ...fields, ...edits }), contentType: 'application/json' };
}
