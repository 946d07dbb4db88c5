import { searchKey } from '../../domain/dead-letter.ts';
import type { DeadReason } from '../../domain/outcome.ts';
import type { DeadLetterStatus } from '../../domain/record.ts';
import { type Sql, statement } from '../sql.ts';
import { findCalls } from './find.ts';

/** What somebody may have meant who asked for a uniqueid that is not stored. */
export interface Near {
  /** Dead letters that have it as uniqueid, callid or number. */
  deadLetters: { id: number; reason: DeadReason; status: DeadLetterStatus }[];
  /** Uniqueids of calls that have it as callid. */
  ofCallid: string[];
  /** Uniqueids that begin with it, or that it begins with: one of the two was cut off, or has blanks around it. */
  alike: string[];
}

/** As many of each kind as help. */
const MOST = 5;

const LETTERS = statement(
  'calls.near-dead-letters',
  `select d.id::float8 as id, d.reason, d.status from dead_letters d
   where d.id in (select k.dead_letter from dead_letter_keys k where k.key = $2
     union select o.id from dead_letters o where o.uniqueid = $1) order by d.last_dead_at desc limit ${MOST}`,
);

/** The neighbours of a text in the order of the index: those that begin with it come next. */
const ALIKE = statement(
  'calls.near-uniqueids',
  `select uniqueid from (
     (select d.uniqueid from cdrs d where d.uniqueid > $1 order by d.uniqueid limit ${MOST})
     union (select d.uniqueid from cdrs d where d.uniqueid <= $1 order by d.uniqueid desc limit ${MOST})) as near
   where starts_with(uniqueid, $1) or (starts_with($1, uniqueid) and 2 * length(uniqueid) > length($1))
   order by uniqueid`,
);

export async function readNear(sql: Sql, uniqueid: string): Promise<Near> {
  const [deadLetters, { calls }, alike] = await Promise.all([
    sql<Near['deadLetters'][number]>(LETTERS, [uniqueid, searchKey(uniqueid)]),
    findCalls(sql, { callid: uniqueid }, { limit: MOST }),
    sql<{ uniqueid: string }>(ALIKE, [uniqueid.trim()]),
  ]);
  return {
    deadLetters,
    ofCallid: calls.map((call) => call.uniqueid),
    alike: alike.map((call) => call.uniqueid),
  };
}
