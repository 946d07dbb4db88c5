import { type Gap, gapsIn } from '../../domain/sequence.ts';
import { GAP_OPEN_MS } from '../../domain/sequence-bounds.ts';
import { type Sql, statement } from '../sql.ts';
import { NAMED_FOR } from './name.ts';
import { type HeardKind, readRuns } from './record.ts';

/** When a feed or a switch was heard of, and what of it is missing. */
export interface HeardState {
  kind: HeardKind;
  name: string;
  /** Null if never. */
  lastAt: Date | null;
  /** Since then. */
  agoSeconds: number | null;
  /** Since the last record; of one that never came, or came before it was expected, since it is expected. */
  silentSeconds: number;
  records: number;
  everySeconds: number | null;
  /** Of a feed: whether a worker has it in its sources file. */
  isNamed: boolean;
  /** Of a feed: the field of its counter. */
  sequence: string | null;
  /** The counter counts something else than the records. */
  isStopped: boolean;
  /** Open for a minute and more. */
  gaps: Gap[];
}

/** Of each kind at most, those first that have an `every`. */
const LISTED_MAX = 1000;

const READ = statement(
  'heard.read',
  `(select kind, name, last_at as "lastAt",
     extract(epoch from clock_timestamp() - last_at)::float8 as "agoSeconds",
     greatest(0, extract(epoch from clock_timestamp() - greatest(last_at, since)))::float8 as "silentSeconds",
     records::float8 as records, every_seconds as "everySeconds",
     coalesce(named_at > now() - interval '${NAMED_FOR}', false) as "isNamed", sequence,
     sequence_stopped_at is not null as "isStopped",
     (extract(epoch from clock_timestamp()) * 1000)::float8 as now
   from heard where kind = 'feed' order by every_seconds is null, name limit ${LISTED_MAX})
   union all
   (select 'user', username, last_at, extract(epoch from clock_timestamp() - last_at)::float8,
     greatest(0, extract(epoch from clock_timestamp() - greatest(last_at, updated_at)))::float8,
     coalesce(records, 0)::float8, u.every_seconds, true, null, false,
     (extract(epoch from clock_timestamp()) * 1000)::float8
   from users u left join heard h on h.kind = 'user' and h.name = u.username
   where active and role = 'system' and (u.every_seconds is not null or h.name is not null)
   order by u.every_seconds is null, username limit ${LISTED_MAX})`,
);

/**
 * All feeds that workers have named, and the active switches that have been heard of or are expected to be. Throws what
 * the database throws.
 */
export async function readHeard(sql: Sql): Promise<HeardState[]> {
  const rows = await sql<Omit<HeardState, 'gaps'> & { now: number }>(READ, []);
  const counting = rows.flatMap(({ kind, name, sequence }) =>
    kind === 'feed' && sequence !== null ? [name] : [],
  );
  const runs = counting.length === 0 ? new Map() : await readRuns(sql, counting);
  return rows.map(({ now, ...state }) => ({
    ...state,
    gaps: state.kind === 'feed' ? gapsIn(runs.get(state.name) ?? [], now, GAP_OPEN_MS) : [],
  }));
}

/** Whether a feed or switch has been silent for longer than it is expected to be. */
export function isLate({ everySeconds, silentSeconds, isNamed }: HeardState): boolean {
  return isNamed && everySeconds !== null && silentSeconds > everySeconds;
}
