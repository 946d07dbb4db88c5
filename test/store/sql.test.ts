import { readdirSync } from 'node:fs';
import { expect, it } from 'vitest';
import { preparedName, statement, unprepared } from '../../src/store/sql.ts';

it('a statement is prepared under its name', () => {
  const { name, text } = statement('test.prepared', 'select $1::int');
  expect(name).toBe('test.prepared');
  expect(preparedName(text)).toBe('test.prepared');
});

it('all statements of the product load together: no two share a name', async () => {
  const folder = new URL('../../src/store/', import.meta.url);
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  const modules = files.filter((file) => file.endsWith('.ts') && !file.startsWith('generated'));
  expect(modules.length).toBeGreaterThan(30);
  for (const file of modules) await import(new URL(file, folder).href);
});

it('a name is taken once', () => {
  statement('test.once', 'select 1');
  expect(() => statement('test.once', 'select 2')).toThrow('two statements are called test.once');
});

it.each(['write', 'Persist.write', 'persist.wr ite', 'persist.größe', `persist.${'a'.repeat(60)}`])(
  'a name that PostgreSQL, a metric or a reader would stumble over is refused: %s',
  (name) => {
    expect(() => statement(name, 'select 3')).toThrow('no name for a statement');
  },
);

it('a statement whose text depends on a filter is not prepared', () => {
  const { name, text } = unprepared('test.filter', 'select 4');
  expect(name).toBe('test.filter');
  expect(preparedName(text)).toBe('');
});
