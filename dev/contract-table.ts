import { pathToFileURL } from 'node:url';
import { parameterNames, parameterRow } from '../src/domain/contract.ts';

/** The table of parameters in docs/contract.md, from the schema that the worker validates with. */
export function contractTable(): string {
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

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) console.log(contractTable());
