import { readFileSync } from 'node:fs';
import type * as z from 'zod';
import { type Variable, variables } from './config/variables.ts';

export { variables } from './config/variables.ts';

/** A wrong or missing variable or option: what was expected and what was given, never a secret. */
export class ConfigError extends Error {}

export type VariableName = keyof typeof variables;
type ValueOf<Name extends VariableName> = z.output<(typeof variables)[Name]['schema']>;
export type Config = { readonly [Name in VariableName]: ValueOf<Name> };
type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The variables that a command needs, validated and frozen. Any of them may come from a file: `DATABASE_URL_FILE`
 * names it. Throws ConfigError naming every wrong variable, the expected form and, unless it is secret, the
 * given value.
 */
export function readConfig<Name extends VariableName>(
  names: readonly Name[],
  environment: Environment = process.env,
): Pick<Config, Name> {
  const problems: string[] = [];
  const entries = names.map((name) => {
    const { schema, fallback, expected, secret } = variables[name] as Variable<z.ZodType>;
    const text = textOf(name, environment) ?? fallback;
    if (text === null) {
      problems.push(`${name} is missing: expected ${expected}`);
      return [name, undefined];
    }
    const result = schema.safeParse(text);
    if (!result.success)
      problems.push(`${name}: expected ${expected}, got ${secret ? masked(text) : JSON.stringify(text)}`);
    return [name, result.data];
  });
  if (problems.length > 0) throw new ConfigError(problems.join('\n'));
  return Object.freeze(Object.fromEntries(entries)) as Pick<Config, Name>;
}

/** NAME, or else the contents of the file that NAME_FILE names. Empty counts as unset. */
function textOf(name: string, environment: Environment): string | undefined {
  const direct = environment[name];
  const file = environment[`${name}_FILE`];
  if (direct !== undefined && direct !== '') return direct;
  if (file === undefined || file === '') return undefined;
  try {
    return readFileSync(file, 'utf8').trimEnd() || undefined;
  } catch {
    throw new ConfigError(`${name}_FILE: expected a readable file, got ${JSON.stringify(file)}`);
  }
}

/** A secret as an error may show it: its URL scheme at most. */
function masked(text: string): string {
  const scheme = /^[a-z+]{1,12}:\/\//i.exec(text)?.[0];
  return scheme === undefined ? 'something else (not shown)' : `"${scheme}…" (not shown)`;
}
