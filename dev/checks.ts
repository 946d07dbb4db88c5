import type { Client } from 'pg';
import { acts, programs } from '../src/domain/activity.ts';
import { entryKinds } from '../src/domain/entry.ts';
import { operations } from '../src/domain/operation.ts';
import { deadReasons } from '../src/domain/outcome.ts';
import { deadLetterStatuses } from '../src/domain/record.ts';
import { replayStates } from '../src/domain/replay-state.ts';
import { eventNames } from '../src/store/dead-letters/history.ts';
import { ROLES } from '../src/store/users.ts';

/** A CHECK that a column holds one of a list of the code. Prisma's schema cannot say it. */
export interface ListCheck {
  table: string;
  column: string;
  values: readonly string[];
}

export const listChecks: readonly ListCheck[] = [
  { table: 'dead_letters', column: 'reason', values: deadReasons },
  { table: 'dead_letters', column: 'status', values: deadLetterStatuses },
  { table: 'dead_letters', column: 'operation', values: operations },
  { table: 'corrections', column: 'kind', values: entryKinds },
  { table: 'correction_orders', column: 'operation', values: operations },
  { table: 'correction_orders', column: 'program', values: programs },
  { table: 'dead_letter_events', column: 'event', values: eventNames },
  { table: 'replays', column: 'state', values: replayStates },
  { table: 'replays', column: 'program', values: programs },
  { table: 'activity', column: 'act', values: acts },
  { table: 'activity', column: 'program', values: programs },
  { table: 'users', column: 'role', values: ROLES },
];

/** What a CHECK of a database admits; empty where there is none. */
export async function admittedValues(client: Client, { table, column }: ListCheck): Promise<string[]> {
  const { rows } = await client.query<{ definition: string }>(
    'select pg_get_constraintdef(oid) as definition from pg_constraint where conname = $1 and conrelid = to_regclass($2)',
    [nameOf(table, column), table],
  );
  return [...(rows[0]?.definition ?? '').matchAll(/'([^']*)'/g)].map(([, value = '']) => value);
}

/** The SQL that has every CHECK of a database admit what the lists hold, '' where they do. */
export async function checkDrift(client: Client): Promise<string> {
  const statements: string[] = [];
  for (const check of listChecks) {
    const admitted = await admittedValues(client, check);
    const { table, column, values } = check;
    if (String([...admitted].sort()) === String([...values].sort())) continue;
    const name = nameOf(table, column);
    const list = values.map((value) => `'${value}'`).join(', ');
    // Not valid: the rows that are there need not be read while everybody waits, for each of them was checked before.
    const replaced = admitted.length === 0 ? '' : `DROP CONSTRAINT "${name}",\n    `;
    statements.push(`ALTER TABLE "${table}" ${replaced}ADD CONSTRAINT "${name}" CHECK ("${column}" IN
    (${list})) NOT VALID;\n`);
  }
  return statements.length === 0 ? '' : `-- AlterCheck: the lists of the code\n${statements.join('\n')}`;
}

function nameOf(table: string, column: string): string {
  return `${table}_${column}_check`;
}
