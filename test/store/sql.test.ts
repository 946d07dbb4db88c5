import { expect, it } from 'vitest';
import { preparedName, statement, unprepared } from '../../src/store/sql.ts';

it('a statement is prepared under its name', () => {
  const { name, text } = statement('test.prepared', 'select $1::int');
  expect(name).toBe('test.prepared');
  expect(preparedName(text)).toBe('test.prepared');
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
