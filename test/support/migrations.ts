import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const FOLDER = fileURLToPath(new URL('../../prisma/migrations/', import.meta.url));

export interface Migration {
  name: string;
  sql: string;
}

/** The project's migrations, oldest first. */
export const migrations: readonly Migration[] = readdirSync(FOLDER, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => ({ name, sql: readFileSync(`${FOLDER}${name}/migration.sql`, 'utf8') }))
  .sort((one, other) => (one.name < other.name ? -1 : 1));
