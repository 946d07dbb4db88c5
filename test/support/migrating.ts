import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { until } from './broker.ts';
import { type Migration, migrations } from './migrations.ts';

/** Folders like prisma/, with migrations of a test's own. */
export class MigrationFolders {
  private readonly folders: string[] = [];

  /** The project's migrations and one more. */
  with(name: string, script: string): string {
    return this.of([...migrations, { name, sql: script }]);
  }

  /** These migrations and no others. */
  of(some: readonly Migration[]): string {
    const folder = mkdtempSync(join(tmpdir(), 'cdr-ingest-migrations-'));
    this.folders.push(folder);
    for (const { name, sql } of some) {
      mkdirSync(join(folder, 'migrations', name), { recursive: true });
      writeFileSync(join(folder, 'migrations', name, 'migration.sql'), sql);
    }
    return folder;
  }

  remove(): void {
    for (const folder of this.folders.splice(0)) rmSync(folder, { recursive: true });
  }
}

/** Runs one text on a connection of its own. */
export async function ask(url: string, text: string): Promise<Record<string, unknown>[]> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query(text)).rows;
  } finally {
    await client.end();
  }
}

/** Waits until a statement with this in it is the latest that a session of `migrate` has sent. */
export async function atWork(url: string, text: string): Promise<void> {
  const sessions = `select query from pg_stat_activity where datname = current_database()
    and application_name = 'cdr-ingest migrate'`;
  await until(async () => (await ask(url, sessions)).some(({ query }) => String(query).includes(text)));
}

/** Waits until no session of `migrate` is left in the database. */
export async function gone(url: string): Promise<void> {
  const sessions = `select from pg_stat_activity where datname = current_database() and application_name = 'cdr-ingest migrate'`;
  await until(async () => (await ask(url, sessions)).length === 0);
}
