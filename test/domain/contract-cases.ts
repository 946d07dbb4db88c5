export const REFUSED = Symbol('refused');

/** A value as JSON text, and what the call says then; REFUSED is a 400 on this parameter. */
export interface Case {
  label: string;
  /** undefined: the parameter is missing. */
  json: string | undefined;
  expected: string | number | typeof REFUSED;
}

export const NEVER_A_VALUE = ['null', 'true', 'false', '[]', '[1]', '["a"]', '{}', '{"a":1}'];
export const LONG = 5000;

export function refused(...values: string[]): Case[] {
  return values.map((json) => ({ label: json, json, expected: REFUSED }));
}

export function accepted(...pairs: [json: string, expected: string | number][]): Case[] {
  return pairs.map(([json, expected]) => ({ label: json, json, expected }));
}

/** `fallback` is the default; undefined where the parameter is required. */
export function absent(fallback: string | number | undefined): Case[] {
  const expected = fallback ?? REFUSED;
  return [
    { label: 'missing', json: undefined, expected },
    { label: 'empty', json: '""', expected },
  ];
}

/** Texts too long to be read in a test's name. */
export function long(text: string, label: string, expected: Case['expected']): Case {
  return { label, json: JSON.stringify(text), expected };
}
