import { Client } from 'pg';
import type { Bed } from './bed.ts';
import { runDatabase } from './drain.ts';
import type { Measured } from './meter.ts';

/** Rows that one statement adds while the table is filled. */
const CHUNK = 250_000;
const FIRST_START = 1_500_000_000;

/**
 * The part `database` with more and more calls stored. Between the measurements the one database is filled to the next
 * size with calls older than those of the workload, as years of traffic would.
 *
 * @param sizes stored calls, ascending; the first is 0
 */
export async function measureGrowth(
  bed: Bed,
  sizes: readonly number[],
  rounds: number,
  messages: number,
  progress: (line: string) => void,
): Promise<Record<string, Measured[]>> {
  const database = await bed.freshDatabase();
  const client = new Client({ connectionString: database.url });
  await client.connect();
  const measured: Record<string, Measured[]> = {};
  try {
    let seed = 700;
    // There must be a call to copy, and the first run plans the statements.
    await runDatabase(bed, database, messages, seed);
    let stored = 0;
    for (const size of sizes) {
      await fill(client, stored, size, progress);
      stored = size;
      for (let round = 0; round < rounds; round += 1) {
        seed += 1;
        progress(`growth, ${size} calls stored: round ${round + 1} of ${rounds}`);
        measured[size] = [...(measured[size] ?? []), await runDatabase(bed, database, messages, seed)];
      }
    }
  } finally {
    await client.end();
    await database.drop();
  }
  return measured;
}

/** Copies of a stored call under other uniqueids, in the order of their time. */
async function fill(
  client: Client,
  from: number,
  to: number,
  progress: (line: string) => void,
): Promise<void> {
  if (to === from) return;
  const { rows } = await client.query<{ name: string }>(
    `select column_name as name from information_schema.columns where table_name = 'cdrs' order by ordinal_position`,
  );
  const names = rows.map(({ name }) => name);
  const value = (name: string) => {
    if (name === 'uniqueid') return `(${FIRST_START} + i / 10)::text || '.' || i`;
    return name === 'fingerprint' ? `sha256(i::text::bytea)` : `t."${name}"`;
  };
  for (let start = from; start < to; start += CHUNK) {
    progress(`growth, filling: ${start} of ${to}`);
    await client.query(
      `insert into cdrs (${names.map((name) => `"${name}"`).join(', ')})
       select ${names.map(value).join(', ')}
       from generate_series($1::int, $2::int) as i, (select * from cdrs limit 1) as t`,
      [start, Math.min(start + CHUNK, to) - 1],
    );
  }
  await client.query('vacuum analyze cdrs');
  await client.query('checkpoint');
}
