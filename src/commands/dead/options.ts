import type { Command } from 'commander';
import { createVerifier } from '../../auth/verifier.ts';
import { ConfigError, readConfig } from '../../config.ts';
import { databaseOf, databaseVariables } from '../../connections.ts';
import { InvalidInput } from '../../dead-letters/input.ts';
import { readSelection, type SelectionText } from '../../dead-letters/selection.ts';
import { type Database, describeFailure, openDatabase } from '../../store/database.ts';
import { type DeadLetterFilter, unknownIds } from '../../store/dead-letters/list.ts';
import type { Sql } from '../../store/sql.ts';
import { readUsers } from '../../store/users.ts';

export { printJson } from '../print.ts';

/** A problem of the work, said in one line; the command exits with code 1. */
export class SelectionRefused extends Error {}

const CONNECT_TIMEOUT_MS = 10_000;
/** Grouping all of a million dead letters takes seconds; nobody waits for more than this. */
const STATEMENT_TIMEOUT_MS = 120_000;

export type SelectionOptions = Omit<SelectionText, 'ids'>;

/** The same selection on every command: ids, and filters that must all hold. */
export function withSelection(command: Command): Command {
  return command
    .argument('[id...]', 'dead letters by their id')
    .option('--reason <reason>', 'why it died; several separated by commas')
    .option('--status <status>', 'dead, replaying, resolved, discarded; several separated by commas')
    .option('--code <code>', 'the code of the reply: 400, 401, 402')
    .option('--key <key>', 'the parameter that the reply names; "" where it names none')
    .option('--customer <id>', 'scustomer')
    .option('--machine <machine>', 'machine')
    .option('--uniqueid <uniqueid>', 'uniqueid')
    .option('--since <time>', 'last died at or after: 2h, 7d or ISO 8601')
    .option('--until <time>', 'last died before: 2h, 7d or ISO 8601');
}

/** Throws ConfigError for what nobody can mean. */
export function selectionOf(ids: readonly string[], options: SelectionOptions): DeadLetterFilter {
  return usage(() => readSelection({ ...options, ids }, new Date()));
}

/** Wrong usage, named as an option of the command line. */
export function usage<Result>(read: () => Result): Result {
  try {
    return read();
  } catch (error) {
    if (error instanceof InvalidInput) throw new ConfigError(optionOf(error.message));
    throw error;
  }
}

function optionOf(message: string): string {
  return message.startsWith('id:') ? message : `--${message}`;
}

export interface OperatorSession {
  database: Database;
  sql: Sql;
}

/** Does the work on the database of DATABASE_URL, and closes it. */
export async function asOperator(
  poolSize: number,
  work: (session: OperatorSession) => Promise<void>,
): Promise<void> {
  const database = openDatabase({
    ...databaseOf(readConfig(databaseVariables)),
    poolSize,
    statementTimeoutMs: STATEMENT_TIMEOUT_MS,
    connectTimeoutMs: CONNECT_TIMEOUT_MS,
    applicationName: 'cdr-ingest dead',
  });
  try {
    await work({ database, sql: database.sql });
  } catch (error) {
    if (error instanceof ConfigError || error instanceof SelectionRefused) throw error;
    throw new Error(describeFailure(error), { cause: error });
  } finally {
    await database.close(CONNECT_TIMEOUT_MS);
  }
}

/** Throws DeskError where one of the ids is no dead letter's. */
export async function expectKnown(sql: Sql, { ids }: DeadLetterFilter): Promise<void> {
  const unknown = ids === undefined ? [] : await unknownIds(sql, ids);
  if (unknown.length > 0) throw new SelectionRefused(`there is no dead letter ${unknown.join(', ')}`);
}

/**
 * The operator of CDR_USERNAME and CDR_PASSWORD. Throws ConfigError where they are missing, DeskError where they
 * are not those of an active user with role operator.
 */
export async function operatorAtWork({ database }: OperatorSession): Promise<string> {
  const { CDR_USERNAME, CDR_PASSWORD } = readConfig(['CDR_USERNAME', 'CDR_PASSWORD']);
  const missing = Object.entries({ CDR_USERNAME, CDR_PASSWORD }).filter(([, value]) => value === '');
  if (missing.length > 0) {
    const lines = missing.map(([name]) => `${name} is missing: expected the credentials of an operator`);
    throw new ConfigError(lines.join('\n'));
  }
  const verifier = createVerifier({ readUsers: (names) => readUsers(database.sql, names) });
  try {
    const verdict = await verifier.check(CDR_USERNAME, CDR_PASSWORD);
    if (verdict.kind !== 'ok')
      throw new SelectionRefused('CDR_USERNAME and CDR_PASSWORD are not those of a user');
    if (verdict.role !== 'operator')
      throw new SelectionRefused(`${verdict.username} has role ${verdict.role}: this needs an operator`);
    return verdict.username;
  } finally {
    verifier.stop();
  }
}
