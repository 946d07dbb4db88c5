import { describe, expect, it } from 'vitest';
import { migrations } from './support/migrations.ts';

/** What is wrong with a change of a table that is there already, by what its SQL looks like. */
const RULES: readonly [looks: RegExp, rule: string][] = [
  [
    /^add column (?!.*\bdefault\b).*\bnot null\b/,
    'NOT NULL without DEFAULT: the version before inserts rows without it',
  ],
  [
    /^add column .*\bdefault (?!'|-?\d|true\b|false\b|null\b|array\[\]|current_timestamp\b|now\(\))/,
    'a default that is computed for each row rewrites the table',
  ],
  [/^add column .*\bgenerated always as\b/, 'a generated column rewrites the table'],
  [
    /^add column .*\b(unique|primary key|references|check)\b/,
    'a constraint within a column reads the whole table',
  ],
  [/^alter column .*\btype\b/, 'another type may rewrite the table, and the version before does not know it'],
  [
    /^alter column .*\bset not null\b/,
    'SET NOT NULL reads the whole table, and the version before may write null',
  ],
  [
    /^drop (column|table|view|function)\b|^rename\b/,
    'the version before still uses what is dropped or renamed',
  ],
  [
    /^add constraint (?!.*\bnot valid\b).*\b(check|foreign key)\b/,
    'a constraint reads the whole table: add it NOT VALID',
  ],
  [/^add constraint (?!.*\busing index\b).*\b(unique|primary key)\b/, 'build the index first, CONCURRENTLY'],
  [
    /^create (unique )?index (?!concurrently\b)/,
    'an index keeps writers out while it is built: CONCURRENTLY, in a migration of its own',
  ],
  [/^(update|delete from)\b/, 'rows that others write are changed in portions, each committed by itself'],
  [
    /^(begin|start transaction|commit|rollback|end)\b/,
    'a migration is one transaction with its row of history',
  ],
];

/** Breaks a rule, and nobody waits: it writes `users` anew, one row for each user. */
const SMALL = '20261128000500_console_sign_in';

/** The statements of a script, each on one line, without comments, quotes of names and the bodies of functions. */
function statementsOf(sql: string): string[] {
  return sql
    .replace(/\$(\w*)\$.*?\$\1\$/gs, "''")
    .replace(/--[^\n]*/g, '')
    .split(';')
    .map((statement) => statement.replaceAll('"', '').replace(/\s+/g, ' ').trim().toLowerCase())
    .filter((statement) => statement !== '');
}

/** The parts between commas that stand in no parentheses. */
function partsOf(list: string): string[] {
  const parts = [''];
  let depth = 0;
  for (const char of list) {
    depth += char === '(' ? 1 : char === ')' ? -1 : 0;
    if (char === ',' && depth === 0) parts.push('');
    else parts.push(`${parts.pop()}${char}`);
  }
  return parts.map((part) => part.trim());
}

/** What a script does to tables that it has not made itself. */
function changesIn(sql: string): string[] {
  const statements = statementsOf(sql);
  const made = statements.flatMap((each) => /^create table (?:if not exists )?(\w+)/.exec(each)?.[1] ?? []);
  return statements.flatMap((statement) => {
    const [, altered = '', actions] = /^alter table (?:if exists |only )*(\w+) (.*)$/.exec(statement) ?? [];
    if (actions !== undefined) return made.includes(altered) ? [] : partsOf(actions);
    const [, table = ''] =
      /^(?:create (?:unique )?index .*? on|update|delete from) (\w+)/.exec(statement) ?? [];
    return made.includes(table) ? [] : [statement];
  });
}

function problemsOf(sql: string): string[] {
  const changes = changesIn(sql);
  const alone =
    (changes.some((each) => /\bconcurrently\b/.test(each)) || /\bcommit;/i.test(sql)) &&
    statementsOf(sql).length > 1;
  return [
    ...changes.flatMap((each) =>
      RULES.filter(([looks]) => looks.test(each)).map(([, rule]) => `${each}: ${rule}`),
    ),
    ...(alone ? ['CONCURRENTLY and COMMIT work outside of a transaction only: a migration of its own'] : []),
  ];
}

describe('a migration', () => {
  it.each(migrations)('leaves the version before at work, and nobody waiting: $name', ({ name, sql }) => {
    if (name === SMALL) expect(problemsOf(sql)).not.toEqual([]);
    else expect(problemsOf(sql)).toEqual([]);
  });

  it.each([
    `alter table "cdrs" add column "x" integer not null`,
    `alter table cdrs add column a text, add column x integer not null, add column y text default ''`,
    `alter table cdrs add column x uuid default gen_random_uuid()`,
    `alter table cdrs add column x boolean generated always as (cost > 0) stored`,
    `alter table cdrs alter column x set data type bigint`,
    `alter table cdrs alter column x type numeric(30, 8)`,
    `alter table cdrs alter column x set not null`,
    `alter table cdrs drop column x`,
    `alter table cdrs rename column x to y`,
    `alter table cdrs add constraint c check (x > 0)`,
    `alter table cdrs add constraint c unique (x)`,
    `create index i on cdrs (x)`,
    `create table t (a int); create unique index i on cdrs (x)`,
    `create index concurrently i on cdrs (x); select 1`,
    `update cdrs set x = 1`,
    `do $$ begin update cdrs set x = 1; commit; end $$; select 1`,
    `rollback`,
    `drop view known_calls`,
  ])('must not say %s', (sql) => {
    expect(problemsOf(sql)).toHaveLength(1);
  });

  it.each([
    `alter table cdrs add column x text, add column y integer not null default 0, add column z numeric(18, 6) default 0 not null`,
    `alter table dead_letters drop constraint c, add constraint c check (reason in ('a', 'b')) not valid`,
    `create index concurrently i on cdrs (x)`,
    `do $$ begin loop update cdrs set x = 1 where id in (select id from cdrs where x <> 1 limit 9); exit when not found; commit; end loop; end $$`,
    `create table t (a int not null, b uuid not null default gen_random_uuid()); create index i on t (a); alter table t add constraint c check (a > 0)`,
    `create function f() returns int language sql as $$ update cdrs set cost = 0; select 1 $$`,
  ])('may say %s', (sql) => {
    expect(problemsOf(sql)).toEqual([]);
  });
});
