import { type DatabaseConfig, databaseOf } from '../connections.ts';
import { classifyFailure, type Database, describeFailure, openDatabase } from '../store/database.ts';
import { CommandError, isExplained } from './exit.ts';

export interface SessionSettings {
  /** The command, as pg_stat_activity shows it behind "cdr-ingest". */
  name: string;
  poolSize?: number;
  statementTimeoutMs: number;
}

const CONNECT_TIMEOUT_MS = 10_000;

/**
 * Does the work on the database of DATABASE_URL and closes it. A failure of the database becomes a CommandError of
 * one line.
 */
export async function withDatabase<Result>(
  config: DatabaseConfig,
  { name, poolSize = 1, statementTimeoutMs }: SessionSettings,
  work: (database: Database) => Promise<Result>,
): Promise<Result> {
  const database = openDatabase({
    ...databaseOf(config),
    poolSize,
    statementTimeoutMs,
    connectTimeoutMs: CONNECT_TIMEOUT_MS,
    applicationName: `cdr-ingest ${name}`,
  });
  try {
    return await work(database);
  } catch (error) {
    throw databaseError(error);
  } finally {
    await database.close(CONNECT_TIMEOUT_MS);
  }
}

/** The error itself where it explains itself, else what is wrong with the database. */
export function databaseError(error: unknown): unknown {
  return isExplained(error) ? error : new CommandError(databaseProblem(error), { cause: error });
}

/** What is wrong with the database and what to do about it, in one line. */
export function databaseProblem(error: unknown): string {
  const problem = describeFailure(error);
  const hint = hintFor(error, problem);
  return hint === undefined ? problem : `${problem}; ${hint}`;
}

/** By SQLSTATE (https://www.postgresql.org/docs/current/errcodes-appendix.html); the first that fits. */
const HINTS: readonly [RegExp, string][] = [
  [/^28/, 'check user and password in DATABASE_URL, and pg_hba.conf'],
  [/^3D/, 'check the name of the database in DATABASE_URL'],
  [/^25006/, 'DATABASE_URL must lead to the primary'],
  [/^42501/, 'run "cdr-ingest migrate --grant" for this role'],
  [/^(3F|42)/, 'run "cdr-ingest migrate"'],
];

function hintFor(error: unknown, problem: string): string | undefined {
  const [, state] = /\(SQLSTATE (\w{5})\)$/.exec(problem) ?? [];
  if (state !== undefined) return HINTS.find(([states]) => states.test(state))?.[1];
  if (classifyFailure(error) !== 'outage') return undefined;
  return /\b(TLS|SSL)\b/.test(problem)
    ? 'check sslmode in DATABASE_URL, and DATABASE_TLS_CA'
    : 'DATABASE_URL must lead to a running PostgreSQL primary: postgresql://user:password@host:5432/database';
}
