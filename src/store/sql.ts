/** One statement of fixed text, with placeholders $1, $2, … for its values. */
export interface Statement {
  /** What metrics, slow-query logs and PostgreSQL (pg_prepared_statements) call it. */
  readonly name: string;
  readonly text: string;
  /** See `frequent`. */
  readonly isFrequent?: true;
}

/** Runs one statement with its values and returns its rows. Throws what the database throws. */
export type Sql = <Row>(statement: Statement, values: readonly unknown[]) => Promise<Row[]>;

/** `area.what-it-does`, in ASCII. */
const NAME = /^[a-z]+(-[a-z]+)*\.[a-z]+(-[a-z]+)*$/;
/** PostgreSQL cuts longer names off, and two statements might become one. */
const NAME_MAX_BYTES = 63;

const names = new Set<string>();
const nameByText = new Map<string, string>();

/**
 * Names a statement. Each connection parses it once and prepares it under this name. Call this when a module is loaded, never
 * for each request: names are for ever. Throws for a name that is taken or that PostgreSQL would cut off.
 */
export function statement(name: string, text: string): Statement {
  if (!NAME.test(name) || name.length > NAME_MAX_BYTES) throw new Error(`no name for a statement: ${name}`);
  if (names.has(name)) throw new Error(`two statements are called ${name}`);
  names.add(name);
  nameByText.set(text, name);
  return { name, text };
}

/**
 * A statement that most batches need. Outside of transactions it bypasses Prisma's client
 * (docs/decisions/0015-frequent-statements-by-the-adapter.md). Its values and what it returns are text, numbers, booleans, null,
 * and lists of them; a value may be text in bytes.
 */
export function frequent(name: string, text: string): Statement {
  return { ...statement(name, text), isFrequent: true };
}

/**
 * A statement whose text depends on what it is asked for, such as the filter of a list. It has a name in metrics and
 * logs but is never prepared: a connection keeps what it has prepared for as long as it lives, and there are more
 * filters than that is worth.
 */
export function unprepared(name: string, text: string): Statement {
  return { name, text };
}

/** The name under which a text is prepared; '' for one that is not. */
export function preparedName(text: string): string {
  return nameByText.get(text) ?? '';
}
