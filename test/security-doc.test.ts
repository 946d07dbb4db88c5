import { existsSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { abuseTable } from '../bench/report.ts';

const path = (name: string) => new URL(`../docs/${name}`, import.meta.url);
const security = readFileSync(path('security.md'), 'utf8');

/** A test as the document names it: `[file](path): name; name`, in the last column of a table. */
const shown = [
  ...security.matchAll(/\[[^\]]+\]\((\.\.\/test\/[^)]+\.ts)\): ([^|\n]+?)(?= \||<br>|$)/gm),
].flatMap(([, file = '', names = '']) => names.split('; ').map((name) => ({ file, name: name.trim() })));

it('docs/security.md names tests, and as many as it has attacks', () => {
  const attacks = security.split('\n').filter((line) => line.startsWith('| ') && line.includes('](../test/'));
  expect(attacks.length).toBeGreaterThan(20);
  expect(shown.length).toBeGreaterThanOrEqual(attacks.length);
});

it.each(shown)('$file has the test that docs/security.md names: $name', ({ file, name }) => {
  expect(existsSync(path(file))).toBe(true);
  expect(readFileSync(path(file), 'utf8')).toContain(name);
});

it('docs/reliability.md shows the storms that are in bench/results/abuse.json', () => {
  const storms = JSON.parse(readFileSync(new URL('../bench/results/abuse.json', import.meta.url), 'utf8'));
  expect(readFileSync(path('reliability.md'), 'utf8')).toContain(abuseTable(storms));
});
