import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { PACKAGE_ROOT } from '../package-root.ts';
import type { DatabaseAddress } from './connection.ts';
import { type Database, openDatabase } from './database.ts';

/** Parts of the system that have a database role of their own. */
export const parts = ['worker', 'console', 'upkeep'] as const;
export type Part = (typeof parts)[number];

/** The package's own. */
const FOLDER = fileURLToPath(new URL('prisma/grants/', PACKAGE_ROOT));
const TIMEOUT_MS = 30_000;
/** Two processes that grant on one table at the same time would fail. Not the number that migrations lock. */
const ADVISORY_LOCK = 72_707_371;

/**
 * Grants an existing role what a part of the system needs (prisma/grants), and revokes everything else on its tables, in one
 * transaction. Safe to repeat; must be repeated after every migration. Throws what the database throws.
 */
export async function grant(address: DatabaseAddress, part: Part, role: string): Promise<void> {
  const database = openDatabase({
    ...address,
    poolSize: 1,
    statementTimeoutMs: TIMEOUT_MS,
    connectTimeoutMs: TIMEOUT_MS,
    applicationName: 'cdr-ingest migrate',
  });
  try {
    await apply(database, await grantStatements(part, role));
  } finally {
    await database.close(TIMEOUT_MS);
  }
}

async function apply({ prisma }: Database, statements: readonly string[]): Promise<void> {
  await prisma.$transaction(
    async (transaction) => {
      await transaction.$executeRawUnsafe(`select pg_advisory_xact_lock(${ADVISORY_LOCK})`);
      for (const statement of statements) await transaction.$executeRawUnsafe(statement);
    },
    { timeout: TIMEOUT_MS, maxWait: TIMEOUT_MS },
  );
}

/** The statements of a part's file, as psql would run them with this role. */
export async function grantStatements(part: Part, role: string): Promise<string[]> {
  const file = await readFile(`${FOLDER}${part}.sql`, 'utf8');
  const name = `"${role.replaceAll('"', '""')}"`;
  return file
    .replace(/^--.*$/gm, '')
    .split(';')
    .map((statement) => statement.trim().replaceAll(':"role"', () => name))
    .filter((statement) => statement !== '');
}
