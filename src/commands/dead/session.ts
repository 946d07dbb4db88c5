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
  const verifier = createVerifier({ readUsers: (names) => readUsers(sql, names) });
  try {
    const verdict = await verifier.check(CDR_USERNAME, CDR_PASSWORD);
    if (verdict.kind !== 'ok')
      throw new CommandError('CDR_USERNAME and CDR_PASSWORD are not those of a user');
    if (verdict.role !== 'operator')
      throw new CommandError(`${verdict.username} has role ${verdict.role}; this command needs an operator`);
    return verdict.username;
  } finally {
    verifier.stop();
  }
}
