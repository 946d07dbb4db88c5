import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** A migration of prisma/migrations. */
export interface Migration {
  name: string;
  sql: string;
  /** As Prisma writes it into its history. */
  checksum: string;
}

/** The migrations of a folder that has `migrations/`, in their order. */
export async function readMigrations(folder: string): Promise<Migration[]> {
  const base = join(folder, 'migrations');
  const entries = await readdir(base, { withFileTypes: true });
  const names = entries.flatMap((entry) => (entry.isDirectory() ? entry.name : [])).sort();
  return await Promise.all(
    names.map(async (name) => {
      const sql = await readFile(join(base, name, 'migration.sql'), 'utf8');
      return { name, sql, checksum: createHash('sha256').update(sql).digest('hex') };
    }),
  );
}

/**
 * Whether a script is one statement that cannot be part of a transaction: an index that is built or dropped CONCURRENTLY, or a
 * block that commits portions of its work. Such a script can be run again wherever it was interrupted.
 */
export function isStepOfItsOwn(sql: string): boolean {
  const text = withoutComments(sql).trim();
  return /^(create|drop)\s+(unique\s+)?index\s+concurrently\b/i.test(text) || isInPortions(sql);
}

/** Whether a script changes rows in portions, each committed by itself. */
export function isInPortions(sql: string): boolean {
  return /^do\b.*\bcommit;/is.test(withoutComments(sql).trim());
}

/** The index that a script builds CONCURRENTLY. */
export function concurrentIndexOf(sql: string): string | undefined {
  return /^create\s+(?:unique\s+)?index\s+concurrently\s+(?:if\s+not\s+exists\s+)?"?(\w+)"?/im.exec(
    withoutComments(sql),
  )?.[1];
}

export interface Made {
  /** Tables, views and indexes. */
  relations: string[];
  columns: { table: string; name: string }[];
}

/** What is there once a script has been committed, and was not there before. */
export function madeBy(sql: string): Made {
  const text = withoutComments(sql);
  const created = text.matchAll(/^create (?:table|view|(?:unique )?index) (?:if not exists )?"(\w+)"/gim);
  const altered = text.matchAll(/^alter table "(\w+)"([^;]*)/gim);
  return {
    relations: [...created].map(([, name = '']) => name),
    columns: [...altered].flatMap(([, table = '', actions = '']) =>
      [...actions.matchAll(/add column\s+"(\w+)"/gi)].map(([, name = '']) => ({ table, name })),
    ),
  };
}

function withoutComments(sql: string): string {
  return sql.replace(/^\s*--[^\n]*/gm, '');
}
