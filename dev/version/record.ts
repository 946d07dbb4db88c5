import { pathToFileURL } from 'node:url';
import { Client } from 'pg';
import { openDatabase } from '../../src/store/database.ts';
import { migrate } from '../../src/store/migrate.ts';
import { fillTables, useTables } from './session.ts';

/** A statement as it reached PostgreSQL, and the shape of what came back. */
export interface Recorded {
  /** 1 fills the tables, 2 goes on with them. */
  turn: 1 | 2;
  text: string;
  values: unknown[];
  rows: number;
  columns: string[];
}

/** What a version says to its database. */
export interface Recording {
  /** The migrations that the version has. */
  migrations: string[];
  statements: Recorded[];
}

/** Records what this version does with an empty database, which it migrates first. */
export async function record(databaseUrl: string): Promise<Recording> {
  const migrations = await migrate(databaseUrl);
  const statements: Recorded[] = [];
  const tap = tapStatements((recorded) => statements.push(recorded));
  const database = openDatabase({
    url: databaseUrl,
    // One connection: the statements have one order.
    poolSize: 1,
    statementTimeoutMs: 60_000,
    connectTimeoutMs: 10_000,
    applicationName: 'cdr-ingest version',
  });
  try {
    await fillTables(database);
    tap.turn = 2;
    await useTables(database, 2);
  } finally {
    await database.close(5000);
    tap.end();
  }
  return { migrations, statements };
}

type Query = (...given: unknown[]) => unknown;
interface Result {
  rows: unknown[];
  fields: { name: string }[];
}

/** Listens to every statement of the driver, whoever says it. */
function tapStatements(tell: (recorded: Recorded) => void) {
  const original = Client.prototype.query as unknown as Query;
  const tap = { turn: 1 as 1 | 2, end: () => replaceQuery(original) };
  replaceQuery(function query(this: unknown, ...given: unknown[]) {
    const { turn } = tap;
    const [config, given1] = given;
    const { text, values } =
      typeof config === 'string' ? { text: config, values: undefined } : (config as Partial<Recorded>);
    const recorded: Recorded = {
      turn,
      text: text ?? '',
      values: Array.isArray(given1) ? given1 : (values ?? []),
      rows: 0,
      columns: [],
    };
    tell(recorded);
    const note = (result: Result | undefined) => {
      if (result?.rows === undefined) return;
      recorded.rows = result.rows.length;
      recorded.columns = result.fields.map(({ name }) => name);
    };
    const last = given.at(-1);
    if (typeof last !== 'function')
      return (original.apply(this, given) as Promise<Result>).then((result) => {
        note(result);
        return result;
      });
    const called = (error: unknown, result: Result | undefined) => {
      note(result);
      last(error, result);
    };
    return original.apply(this, [...given.slice(0, -1), called]);
  });
  return tap;
}

function replaceQuery(query: Query): void {
  Object.assign(Client.prototype, { query });
}

const ABOUT =
  'Statements of the version before the migration that landed last, one a line. That version has `migrations`; the one that it lacks is tried on its tables. Written by npm run migration.';

/** One line about the recording, one line a text, then one line a statement: a text that changes is one line of a difference. */
export function writeRecording({ migrations, statements }: Recording): string {
  const texts = [...new Set(statements.map(({ text }) => text))];
  const lines = [
    { about: ABOUT, migrations },
    ...texts.map((text) => ({ text })),
    ...statements.map(({ text, ...rest }) => ({ statement: texts.indexOf(text), ...rest })),
  ];
  return `${lines.map((line) => JSON.stringify(line)).join('\n')}\n`;
}

/** Reads what `writeRecording` wrote. */
export function readRecording(file: string): Recording {
  const [first, ...lines] = file
    .trimEnd()
    .split('\n')
    .map((line): unknown => JSON.parse(line));
  const texts: string[] = [];
  const statements: Recorded[] = [];
  for (const line of lines as ({ text: string } | (Omit<Recorded, 'text'> & { statement: number }))[]) {
    if ('text' in line) texts.push(line.text);
    else {
      const { statement, ...rest } = line;
      statements.push({ text: texts[statement] ?? '', ...rest });
    }
  }
  return { migrations: (first as Recording).migrations, statements };
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href)
  process.stdout.write(writeRecording(await record(process.env.DATABASE_URL ?? '')));
