import { readFileSync, writeFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { feedKeys, operatorKeys, sourcesJsonSchema } from '../src/sources/keys.ts';

export const SCHEMA_FILE = new URL('../sources/sources.schema.json', import.meta.url);
export const PAGE = new URL('../docs/sources.md', import.meta.url);

/** sources/sources.schema.json, from the schema that the worker validates with. */
export function schemaText(): string {
  return `${JSON.stringify(sourcesJsonSchema(), null, 2)}\n`;
}

/** docs/sources.md with its tables of keys written anew. */
export function withKeyTables(page: string): string {
  const feed = feedKeys().map(({ key, formats, required, description }) =>
    row([`\`${key}\``, formats, description + (required ? ' Required.' : '')]),
  );
  const operators = operatorKeys().map(({ key, description }) => row([`\`${key}\``, description]));
  return withTable(withTable(page, 'feed keys', feed), 'operator keys', operators);
}

/** Puts rows between the head of a table and the mark of its end. */
function withTable(page: string, name: string, rows: readonly string[]): string {
  const table = new RegExp(`(<!-- ${name} -->\\n\\|[^\\n]*\\n\\|[^\\n]*\\n)[^]*?(?=<!-- end -->)`);
  return page.replace(table, (_, head: string) => `${head}${rows.join('\n')}\n`);
}

function row(cells: readonly string[]): string {
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  writeFileSync(SCHEMA_FILE, schemaText());
  writeFileSync(PAGE, withKeyTables(readFileSync(PAGE, 'utf8')));
}
