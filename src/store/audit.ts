import type { Difference } from '../domain/cdr.ts';
import { type Call, compare } from '../domain/decide.ts';
import { resolve } from '../domain/resolve.ts';
import { mapPairs } from '../pairs.ts';
import { readStoredCalls } from './persist/columns.ts';
import { lookUp } from './persist/look-up.ts';
import { type Sql, statement } from './sql.ts';

/** A record of a switch's own file. */
export interface AuditedRecord {
  /** As a dead letter has it; null where it cannot be read. */
  uniqueid: string | null;
  /** Null where the record cannot be made one. */
  call: Call | null;
}

/** What has become of a record. */
export type Standing =
  | { state: 'stored' }
  /** Stored with other content, because an operator corrected it. */
  | { state: 'corrected' }
  /** Nobody can say any more in what, if the stored call was pruned. */
  | { state: 'different'; differences: readonly Difference[] }
  /** A dead letter that is still open. */
  | { state: 'dead' }
  | { state: 'discarded' }
  | { state: 'unmapped' }
  | { state: 'missing' };

interface OnRecord {
  /** Of the stored call, null if there is none. */
  fingerprint: string | null;
  dead: boolean;
  discarded: boolean;
  corrected: boolean;
}

/** What is known of each uniqueid, in the order of the lists. */
const ON_RECORD = statement(
  'audit.on-record',
  `
  select encode(known.fingerprint, 'hex') as fingerprint, coalesce(letters.dead, false) as dead,
    coalesce(letters.discarded, false) as discarded, coalesce(letters.corrected, false) as corrected
  from unnest($1::text[], $2::text[]) with ordinality as wanted(call, letter, position)
  left join lateral (select fingerprint from known_calls where uniqueid = wanted.call limit 1) as known on true
  left join lateral (
    select bool_or(is_open) as dead, bool_or(status = 'discarded') as discarded,
      bool_or(status = 'resolved' and (edits <> '{}' or mended_body is not null)) as corrected
    from dead_letters where uniqueid = wanted.letter and (source = $3 or source is null)) as letters on true
  order by position`,
);

/**
 * Finds what has become of records, in their order. A call is stored where its fingerprint is, or where all values are the
 * same, as the worker would say of it. Throws what the database throws.
 *
 * @param source the feed that the records are of
 */
export async function audit(
  sql: Sql,
  records: readonly AuditedRecord[],
  source: string,
  systemCurrency: string,
): Promise<Standing[]> {
  const onRecord = await sql<OnRecord>(ON_RECORD, [
    records.map(({ call, uniqueid }) => call?.cdr.uniqueid ?? uniqueid),
    records.map(({ uniqueid }) => uniqueid),
    source,
  ]);
  const unlike = mapPairs(records, onRecord, ({ call }, { fingerprint }) =>
    call !== null && fingerprint !== null && fingerprint !== call.fingerprint ? [call] : [],
  ).flat();
  const differences = await differencesOf(sql, unlike, systemCurrency);
  return mapPairs(records, onRecord, ({ call }, known) =>
    call === null ? withoutCall(known) : standingOf(known, differences.get(call) ?? null),
  );
}

function withoutCall(known: OnRecord): Standing {
  if (known.corrected && known.fingerprint !== null) return { state: 'corrected' };
  if (known.dead) return { state: 'dead' };
  return { state: known.discarded ? 'discarded' : 'unmapped' };
}

/** @param differences from the stored call; null where it says the same */
function standingOf(known: OnRecord, differences: readonly Difference[] | null): Standing {
  if (known.fingerprint !== null) {
    if (differences === null) return { state: 'stored' };
    return known.corrected ? { state: 'corrected' } : { state: 'different', differences };
  }
  if (known.dead) return { state: 'dead' };
  return { state: known.discarded ? 'discarded' : 'missing' };
}

/** In what calls of another fingerprint differ from the stored ones; those that do not are left out. */
async function differencesOf(
  sql: Sql,
  calls: readonly Call[],
  systemCurrency: string,
): Promise<Map<Call, readonly Difference[]>> {
  const differences = new Map<Call, readonly Difference[]>();
  if (calls.length === 0) return differences;
  // Invoices do not matter to what a call says.
  const { found } = await lookUp(sql, calls, { systemCurrency, openStatuses: [], lateCalls: 'hold' });
  const stored = await readStoredCalls(sql, [...new Set(calls.map(({ cdr }) => cdr.uniqueid))]);
  for (const call of calls) {
    const before = stored.get(call.cdr.uniqueid);
    const outcome = before === undefined ? undefined : compare(before, resolve(call, found));
    if (outcome === undefined) differences.set(call, []);
    else if (outcome.kind === 'conflict') differences.set(call, outcome.differences);
  }
  return differences;
}
