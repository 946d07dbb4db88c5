import type { HeardNumbers, Run } from '../../domain/sequence.ts';
import { countNumbers } from '../../domain/sequence-bounds.ts';
import type { Database } from '../database.ts';
import { type Sql, statement } from '../sql.ts';

export type HeardKind = 'feed' | 'user';

/** What was heard of one feed or user since the last time that it was recorded. */
export interface HeardSome {
  kind: HeardKind;
  name: string;
  /** Milliseconds since its last record. */
  agoMs: number;
  records: number;
  /** Of a feed that has a counter. */
  counted?: Counted;
}

/** Numbers of a feed's counter. */
export interface Counted {
  /** The field that they stood in. */
  field: string;
  /** In the order of the numbers. */
  numbers: readonly HeardNumbers[];
  /** Some could not be kept: what is on record does not go on with these. */
  beginsAnew: boolean;
}

/** By the clock of the database, which workers share. Ordered, so that two workers cannot deadlock. */
const HEARD = statement(
  'heard.record',
  `insert into heard as h (kind, name, last_at, records)
   select kind, name, clock_timestamp() - ago * interval '1 millisecond', records
   from unnest($1::text[], $2::text[], $3::float8[], $4::bigint[]) as heard (kind, name, ago, records)
   order by kind, name
   on conflict (kind, name) do update
   set last_at = greatest(h.last_at, excluded.last_at), records = h.records + excluded.records`,
);

/**
 * Records what was heard. Adds up whatever other workers record meanwhile. Returns the feeds whose counter turned out to
 * count something else than their records; their numbers are no longer recorded. Throws what the database throws: then
 * nothing was recorded, or all of it without an answer.
 */
export async function recordHeard(
  { sql, transaction }: Pick<Database, 'sql' | 'transaction'>,
  some: readonly HeardSome[],
  timeoutMs: number,
): Promise<string[]> {
  if (some.length === 0) return [];
  const counted = new Map(
    some.flatMap(({ name, counted }) => (counted === undefined ? [] : [[name, counted] as const])),
  );
  if (counted.size === 0) {
    await add(sql, some);
    return [];
  }
  return await transaction(
    async (inside) => {
      // Locks the rows of the feeds: their numbers are recorded by one worker after the other.
      await add(inside, some);
      return await count(inside, counted);
    },
    { timeoutMs },
  );
}

async function add(sql: Sql, some: readonly HeardSome[]): Promise<void> {
  await sql(HEARD, [
    some.map(({ kind }) => kind),
    some.map(({ name }) => name),
    some.map(({ agoMs }) => agoMs),
    some.map(({ records }) => records),
  ]);
}

const COUNTERS = statement(
  'heard.counters',
  `select name, sequence, (extract(epoch from clock_timestamp()) * 1000)::float8 as now
   from heard where kind = 'feed' and name = any($1::text[]) and sequence_stopped_at is null`,
);

const RUNS = statement(
  'heard.runs',
  `select source, epoch, first::text, last::text, (extract(epoch from since) * 1000)::float8 as since
   from sequence_runs r where source = any($1::text[]) order by source, epoch, r.first`,
);

/** A row of `sequence_runs`; 64-bit numbers as text. */
interface StoredRun {
  source: string;
  epoch: number;
  first: string;
  last: string;
  since: number;
}

/** The runs of these feeds, in order. */
export async function readRuns(sql: Sql, sources: readonly string[]): Promise<Map<string, Run[]>> {
  const runs = new Map<string, Run[]>();
  for (const { source, first, last, ...run } of await sql<StoredRun>(RUNS, [sources])) {
    const own = runs.get(source) ?? [];
    own.push({ ...run, first: BigInt(first), last: BigInt(last) });
    runs.set(source, own);
  }
  return runs;
}

async function count(sql: Sql, counted: ReadonlyMap<string, Counted>): Promise<string[]> {
  const names = [...counted.keys()];
  const counters = await sql<{ name: string; sequence: string | null; now: number }>(COUNTERS, [names]);
  const stored = await readRuns(sql, names);
  const gone: StoredRun[] = [];
  const written: StoredRun[] = [];
  const stopped: string[] = [];
  for (const { name, sequence, now } of counters) {
    const { field, numbers, beginsAnew } = counted.get(name) ?? {};
    // Another worker has another sources file.
    if (numbers === undefined || field !== sequence) continue;
    const before = stored.get(name) ?? [];
    const after = countNumbers(beginsAnew ? [] : before, numbers, now);
    if (after === undefined) stopped.push(name);
    const changes = changesBetween(before, after ?? []);
    gone.push(...changes.gone.map((run) => asRow(name, run)));
    written.push(...changes.written.map((run) => asRow(name, run)));
  }
  if (gone.length + written.length > 0) await write(sql, gone, written);
  if (stopped.length > 0) await sql(STOP, [stopped]);
  return stopped;
}

function changesBetween(before: readonly Run[], after: readonly Run[]) {
  const keyOf = ({ epoch, first }: Run) => `${epoch} ${first}`;
  const lasts = new Map(before.map((run) => [keyOf(run), run.last]));
  const kept = new Set(after.map(keyOf));
  return {
    gone: before.filter((run) => !kept.has(keyOf(run))),
    written: after.filter((run) => lasts.get(keyOf(run)) !== run.last),
  };
}

function asRow(source: string, { epoch, first, last, since }: Run): StoredRun {
  return { source, epoch, first: String(first), last: String(last), since };
}

const WRITE = statement(
  'heard.write-runs',
  `with gone as (
     delete from sequence_runs using unnest($1::text[], $2::int[], $3::text[]) as g (source, epoch, first)
     where sequence_runs.source = g.source and sequence_runs.epoch = g.epoch and sequence_runs.first = g.first::bigint
   )
   insert into sequence_runs (source, epoch, first, last, since)
   select source, epoch, first::bigint, last::bigint, to_timestamp(since / 1000)
   from unnest($4::text[], $5::int[], $6::text[], $7::text[], $8::float8[]) as w (source, epoch, first, last, since)
   on conflict (source, epoch, first) do update set last = excluded.last, since = excluded.since`,
);

async function write(sql: Sql, gone: readonly StoredRun[], written: readonly StoredRun[]): Promise<void> {
  await sql(WRITE, [
    gone.map(({ source }) => source),
    gone.map(({ epoch }) => epoch),
    gone.map(({ first }) => first),
    written.map(({ source }) => source),
    written.map(({ epoch }) => epoch),
    written.map(({ first }) => first),
    written.map(({ last }) => last),
    written.map(({ since }) => since),
  ]);
}

const STOP = statement(
  'heard.stop',
  `update heard set sequence_stopped_at = now() where kind = 'feed' and name = any($1::text[])`,
);
