import { readFileSync, writeFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { parameterNames, parameterRow } from '../src/domain/contract.ts';

/** `npx tsx dev/contract-table.ts`: writes the table of parameters in docs/contract.md. */
const DOCUMENT = new URL('../docs/contract.md', import.meta.url);
const HEADING = '### Parameters\n\n';

/** docs/contract.md with the table of parameters as the schema has it that the worker validates with. */
export function withContractTable(document: string): string {
  const start = document.indexOf(HEADING) + HEADING.length;
  const end = document.indexOf('\n\n', start);
  if (start < HEADING.length || end < 0)
    throw new Error(`docs/contract.md has no table under "${HEADING.trim()}"`);
  return document.slice(0, start) + contractTable() + document.slice(end);
}

function contractTable(): string {
  const rows = parameterNames.map((name) => {
    const row = parameterRow(name);
    const fallback = row?.required ? '**required**' : row?.defaultText;
    return line([`\`${name}\``, row?.type, fallback, row?.expected, row?.description]);
  });
  return [
    line(['Parameter', 'Type', 'Default', 'Expected', 'Meaning']),
    line(Array(5).fill('---')),
    ...rows,
  ].join('\n');
}

function line(cells: readonly (string | undefined)[]): string {
  return `| ${cells.map((cell) => (cell ?? '').replaceAll('|', '\\|')).join(' | ')} |`;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href)
  writeFileSync(DOCUMENT, withContractTable(readFileSync(DOCUMENT, 'utf8')));
