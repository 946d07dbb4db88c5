import { type Correction, readCorrection } from '../dead-letters/correction.ts';
import { printable } from '../domain/printable.ts';
import { expectStorable, InvalidInput } from '../input.ts';

/** What the form of a correction can do to one parameter. */
export type ParameterAct = 'set' | 'rename' | 'unset';

/**
 * The name of a field of the form. A parameter that a sender made up may have any name, and browsers change line breaks in the names
 * of fields.
 */
export function fieldName(act: ParameterAct, parameter: string): string {
  return `${act}.${encodeURIComponent(parameter.toWellFormed())}`;
}

/** What was entered for a parameter, '' for nothing. */
export function enteredIn(form: URLSearchParams, act: ParameterAct, parameter: string): string {
  return form.get(fieldName(act, parameter)) ?? '';
}

/** A body as its field shows it and a browser sends it back: other controls than line breaks and tabs are escapes. */
export function bodyText(body: string): string {
  return body.replaceAll('\r\n', '\n').replace(/[^\P{Cc}\n\t]/gu, printable);
}

/**
 * The correction that a form asks for. What was left empty stays as it is, and so does the body if its text is still that of the
 * page. Throws InvalidInput.
 *
 * @param body as it stands now
 */
export function correctionIn(form: URLSearchParams, body: string): Correction {
  const text = { set: [] as string[], rename: [] as string[], unset: [] as string[] };
  for (const [field, value] of form) {
    const [, act, encoded = ''] = /^(set|rename|unset)\.(.*)$/s.exec(field) ?? [];
    if (act === undefined || value === '') continue;
    const name = decoded(encoded);
    if (act === 'set') text.set.push(`${name}=${value}`);
    else if (act === 'rename') text.rename.push(`${name}=${value}`);
    else text.unset.push(name);
  }
  const given = form.get('body');
  const isReplaced = given !== null && bodyText(given) !== bodyText(body);
  return readCorrection({ ...text, ...(isReplaced && { body: bodyText(given) }) });
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new InvalidInput('this form was changed on its way; reload the page and try again');
  }
}

/**
 * The correction of many dead letters that a form asks for. Its rows have the names of parameters beside their values; one that
 * lacks either asks for nothing. Throws InvalidInput.
 */
export function correctionOfManyIn(form: URLSearchParams): Correction {
  const values = form.getAll('set_value');
  const to = form.getAll('rename_to');
  return readCorrection({
    set: form
      .getAll('set_name')
      .flatMap((name, row) => (name === '' ? [] : [`${name}=${values[row] ?? ''}`])),
    rename: form
      .getAll('rename_from')
      .flatMap((name, row) => (name === '' || !to[row] ? [] : [`${name}=${to[row]}`])),
    unset: form.getAll('unset').filter((name) => name !== ''),
  });
}

/** The reason that a form gives, null if it gives none. Throws InvalidInput. */
export function whyIn(form: URLSearchParams): string | null {
  const why = form.get('why')?.trim() || null;
  if (why !== null) expectStorable('why', why);
  return why;
}
