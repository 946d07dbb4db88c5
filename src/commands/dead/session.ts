import { createVerifier } from '../../auth/verifier.ts';
import { type Config, ConfigError } from '../../config.ts';
import type { Sql } from '../../store/sql.ts';
import { readUsers } from '../../store/users.ts';
import type { SessionSettings } from '../database.ts';
import { CommandError } from '../exit.ts';

/** The database session of the `dead` commands. */
export const deadSession: SessionSettings = { name: 'dead', poolSize: 2, statementTimeoutMs: 120_000 };

/** What a command reads that needs an operator. */
export const operatorVariables = ['CDR_USERNAME', 'CDR_PASSWORD'] as const;

/**
 * Signs in with CDR_USERNAME and CDR_PASSWORD and returns the name of the operator. Throws ConfigError if one of them
 * is missing, CommandError if they are not those of an active operator.
 */
export async function signIn(
  sql: Sql,
  { CDR_USERNAME, CDR_PASSWORD }: Pick<Config, (typeof operatorVariables)[number]>,
): Promise<string> {
  const missing = Object.entries({ CDR_USERNAME, CDR_PASSWORD }).filter(([, value]) => value === '');
  if (missing.length > 0) {
    const lines = missing.map(([name]) => `${name} is missing: expected the credentials of an operator`);
    throw new ConfigError(lines.join('\n'));
  }
  const user = await userOf(sql, CDR_USERNAME, CDR_PASSWORD);
  if (user === null) throw new CommandError('CDR_USERNAME and CDR_PASSWORD are not those of a user');
  if (user.role !== 'operator')
    throw new CommandError(`${user.username} has role ${user.role}; this command needs an operator`);
  return user.username;
}

/**
 * Whose credentials CDR_USERNAME and CDR_PASSWORD are, for the record of what needs none: null without them, or where they
 * are not those of a user.
 */
export async function signedIn(
  sql: Sql,
  { CDR_USERNAME, CDR_PASSWORD }: Pick<Config, (typeof operatorVariables)[number]>,
): Promise<string | null> {
  if (CDR_USERNAME === '' || CDR_PASSWORD === '') return null;
  return (await userOf(sql, CDR_USERNAME, CDR_PASSWORD))?.username ?? null;
}

async function userOf(
  sql: Sql,
  name: string,
  password: string,
): Promise<{ username: string; role: string } | null> {
  const verifier = createVerifier({ readUsers: (names) => readUsers(sql, names) });
  try {
    const verdict = await verifier.check(name, password);
    return verdict.kind === 'ok' ? verdict : null;
  } finally {
    verifier.stop();
  }
}
