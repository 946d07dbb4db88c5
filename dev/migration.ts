import { randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Client } from 'pg';
import { migrate, schemaDrift } from '../src/store/migrate.ts';
import { startPostgres } from './stack.ts';

/**
 * `npm run migration -- NAME`: writes a migration that leads from the existing ones to prisma/schema.prisma. Both
 * meet in a database made for it on the server of DATABASE_URL, else on a throwaway one of this machine.
 */
const MIGRATIONS = fileURLToPath(new URL('../prisma/migrations/', import.meta.url));

try {
  process.exitCode = await main(process.argv[2] ?? '');
} catch (error) {
  process.stderr.write(`migration: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}

async function main(name: string): Promise<number> {
  if (!/^[a-z0-9_]{1,60}$/.test(name)) {
    process.stderr.write('usage: npm run migration -- NAME, of small letters, digits and underscores\n');
    return 2;
  }
  const given = process.env.DATABASE_URL;
  const server = given ? undefined : await startPostgres();
  try {
    const script = await withScratchDatabase(given || (server?.url ?? ''), async (databaseUrl) => {
      await migrate(databaseUrl);
      return await schemaDrift(databaseUrl);
    });
    if (script === '') process.stdout.write('the migrations lead to schema.prisma already\n');
    else process.stdout.write(`wrote ${writeMigration(name, script)}\n`);
    return 0;
  } finally {
    await server?.remove();
  }
}

function writeMigration(name: string, script: string): string {
  const moment = new Date().toISOString().replaceAll(/\D/g, '').slice(0, 14);
  const folder = `${MIGRATIONS}${moment}_${name}`;
  mkdirSync(folder);
  writeFileSync(`${folder}/migration.sql`, script);
  return `prisma/migrations/${moment}_${name}/migration.sql`;
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
