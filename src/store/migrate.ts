import { readdir, readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { SchemaEngine } from '@prisma/schema-engine-wasm';
import { withSchemaEngine } from './schema-engine.ts';
const P = fileURLToPath(new URL('../../prisma/', import.meta.url));
const schema = await readFile(`${P}schema.prisma`, 'utf8');
const [, , cmd, url] = process.argv;
const filters = { externalTables: [], externalEnums: [] };
const files = [{ path: 'schema.prisma', content: schema }];
await withSchemaEngine(url ?? '', schema, async (engine: SchemaEngine) => {
  if (cmd === 'drift')
    console.log(await engine.diff({ from: { tag: 'schemaDatasource', files, configDir: '.' }, to: { tag: 'schemaDatamodel', files }, script: true, exitCode: true, filters }));
  else console.log(await engine.applyMigrations({ filters, migrationsList: { baseDir: `${P}migrations`, lockfile: { path: 'migration_lock.toml', content: await readFile(`${P}migrations/migration_lock.toml`, 'utf8') }, shadowDbInitScript: '', migrationDirectories: await Promise.all((await readdir(`${P}migrations`, { withFileTypes: true })).filter((d) => d.isDirectory()).map(async (d) => ({ path: d.name, migrationFile: { path: 'migration.sql', content: { tag: 'ok' as const, value: await readFile(`${P}migrations/${d.name}/migration.sql`, 'utf8') } } }))) } }));
});
