import { readFileSync } from 'node:fs';

const text = readFileSync(new URL('../../docs/operations.md', import.meta.url), 'utf8');

export interface PageCommand {
  /** sh, sql or promql. */
  language: string;
  /** The nearest heading above it. */
  heading: string;
  /** Without its comment; a statement of several lines is one. */
  line: string;
}

/** What stands in the fenced blocks of docs/operations.md, in its order. */
export const fenced: readonly PageCommand[] = [...text.matchAll(/^```(\w+)\n(.*?)^```/gms)].flatMap(
  ([, language = '', block = '']) =>
    commandsIn(language, block).map((line) => ({ language, heading: headingAbove(block), line })),
);

function headingAbove(block: string): string {
  const before = text.slice(0, text.indexOf(block));
  return [...before.matchAll(/^##+ (.*)$/gm)].at(-1)?.[1] ?? '';
}

function commandsIn(language: string, block: string): string[] {
  if (language === 'sql') return block.replace(/--.*$/gm, '').split(';').map(oneLine).filter(Boolean);
  if (language === 'promql') return [oneLine(block)];
  return block
    .split('\n')
    .map((line) => line.replace(/(^| +)# .*$/, '').trim())
    .filter(Boolean);
}

/** What stands in the text itself as a command with options, once each. */
export const inline: readonly string[] = [
  ...new Set(
    [...text.replace(/^```.*?^```/gms, '').matchAll(/`([^`]+)`/g)]
      .map(([, code = '']) => oneLine(code).replace(/^cdr-ingest /, ''))
      .filter((code) =>
        /^(dead|user|call|invoice|source|reconcile|prune|doctor|topology|migrate|publish) .*--/.test(code),
      ),
  ),
];

function oneLine(code: string): string {
  return code.replace(/\s+/g, ' ').trim();
}

/** The lines under a heading. */
export function linesUnder(heading: string): string[] {
  return fenced.filter((each) => each.heading === heading).map(({ line }) => line);
}

/** The words of a command as a shell would split it. */
export function wordsOf(line: string): string[] {
  return [...line.matchAll(/"([^"]*)"|'([^']*)'|(\S+)/g)].map(
    ([, double, single, bare]) => double ?? single ?? bare ?? '',
  );
}
