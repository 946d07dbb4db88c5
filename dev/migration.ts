import { randomBytes } from 'node:crypto';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Client } from 'pg';
import { migrate } from '../src/store/migrate.ts';
import { checkDrift } from './checks.ts';
import { schemaDrift } from './schema-engine.ts';
import { startPostgres } from './stack.ts';
import { recordVersion } from './version/before.ts';
import { readRecording } from './version/record.ts';

/**
 * `npm run migration -- NAME [COMMIT] [--by-hand]`: writes a migration from the existing ones to prisma/schema.prisma and to
 * the lists of dev/checks.ts, and beside it what the version before says to its database, so that a test can have that
 * version at work on the migrated tables. That version is HEAD, or the commit that is named. Everything is tried in
 * databases made for it on the server of DATABASE_URL, else on a throwaway one of this machine. --by-hand also writes a
 * migration where nothing differs: an index, for example, is built CONCURRENTLY in a migration of its own.
 */
const MIGRATIONS = fileURLToPath(new URL('../prisma/migrations/', import.meta.url));
const VERSION_BEFORE = 'test/fixtures/version-before.jsonl';

try {
  const { values, positionals } = parseArgs({
    options: { 'by-hand': { type: 'boolean', default: false } },
    allowPositionals: true,
  });
  process.exitCode = await main(positionals[0] ?? '', positionals[1] ?? 'HEAD', values['by-hand']);
} catch (error) {
  process.stderr.write(`migration: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}

async function main(name: string, commit: string, byHand: boolean): Promise<number> {
  if (!/^[a-z0-9_]{1,60}$/.test(name)) {
    process.stderr.write(
      'usage: npm run migration -- NAME [COMMIT] [--by-hand]; NAME of small letters, digits and underscores\n',
    );
    return 2;
  }
  const given = process.env.DATABASE_URL;
  const server = given ? undefined : await startPostgres();
  try {
    const serverUrl = given || (server?.url ?? '');
    const script = await withScratchDatabase(serverUrl, writtenSince);
    if (script === '' && !byHand) {
      process.stdout.write('the migrations lead to schema.prisma and the lists already\n');
      return 0;
    }
    const before = await withScratchDatabase(serverUrl, async (url) => recordVersion(commit, url));
    if (String(readRecording(before).migrations) !== String(migrationNames()))
      throw new Error(
        `${commit} has other migrations than this checkout: name the commit before this change`,
      );
    writeFileSync(new URL(`../${VERSION_BEFORE}`, import.meta.url), before);
    process.stdout.write(`wrote ${writeMigration(name, script)}\nwrote ${VERSION_BEFORE}\n`);
    return 0;
  } finally {
    await server?.remove();
  }
}

/** The SQL that brings a database from the migrations to the schema and the lists. */
async function writtenSince(databaseUrl: string): Promise<string> {
  await migrate(databaseUrl);
  const client = new Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    const scripts = [await schemaDrift(databaseUrl), await checkDrift(client)];
    return scripts.filter((script) => script !== '').join('\n');
  } finally {
    await client.end();
  }
}

function migrationNames(): string[] {
  const entries = readdirSync(MIGRATIONS, { withFileTypes: true });
  return entries.flatMap((entry) => (entry.isDirectory() ? entry.name : [])).sort();
}

function writeMigration(name: string, script: string): string {
  const moment = new Date().toISOString().replaceAll(/\D/g, '').slice(0, 14);
  // Always the last one, also where a migration was given a moment ahead of this one.
  const newest = migrationNames().at(-1)?.slice(0, 14) ?? '';
  const stamp = moment > newest ? moment : `${BigInt(newest) + 1n}`;
  const folder = `${MIGRATIONS}${stamp}_${name}`;
  mkdirSync(folder);
  writeFileSync(`${folder}/migration.sql`, script || '-- By hand.\n');
  return `prisma/migrations/${stamp}_${name}/migration.sql`;
}

async function withScratchDatabase<Result>(
  serverUrl: string,
  work: (databaseUrl: string) => Promise<Result>,
): Promise<Result> {
  const name = `cdr_migration_${randomBytes(4).toString('hex')}`;
  const client = new Client({ connectionString: serverUrl });
  await client.connect();
  try {
    await client.query(`create database "${name}" template template0`);
    try {
      const url = new URL(serverUrl);
      url.pathname = `/${name}`;
      return await work(url.href);
    } finally {
      await client.query(`drop database "${name}" with (force)`);
    }
  } finally {
    await client.end();
  }
}
