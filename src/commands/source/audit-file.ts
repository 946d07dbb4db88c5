import { uniqueidOf } from '../../domain/dead-letter.ts';
import type { ParameterError } from '../../domain/validate.ts';
import { mapPairs } from '../../pairs.ts';
import { callOf } from '../../sources/call.ts';
import type { Feed } from '../../sources/feed.ts';
import { mapRecord } from '../../sources/map.ts';
import { type AuditedRecord, audit, type Standing } from '../../store/audit.ts';
import type { Sql } from '../../store/sql.ts';
import { CommandError } from '../exit.ts';
import { type NativeText, readNativeFile } from './records.ts';

/** A record of the file and what has become of it. */
export interface Audited {
  record: NativeText;
  uniqueid: string | null;
  standing: Standing | { state: 'skipped' };
  /** Why it cannot be mapped. */
  errors: readonly ParameterError[];
}

/** A record as far as it can be told without the database. */
interface Examined extends AuditedRecord {
  record: NativeText;
  isSkipped: boolean;
  errors: readonly ParameterError[];
}

/** What one statement asks for, in records and in characters: both bound the memory. */
const BATCH = 500;
const BATCH_CHARACTERS = 8_388_608;

/**
 * Streams the records of a native file with what has become of them. A file that cannot be read on throws CommandError behind
 * the last record that could be read.
 */
export async function* auditFile(
  sql: Sql,
  file: string,
  feed: Feed,
  systemCurrency: string,
  signal?: AbortSignal,
): AsyncGenerator<Audited> {
  let batch: Examined[] = [];
  let characters = 0;
  let problem: unknown;
  try {
    for await (const record of readNativeFile(file, feed.spec, signal)) {
      batch.push(examined(feed, record, systemCurrency));
      characters += record.text.length;
      if (batch.length < BATCH && characters < BATCH_CHARACTERS) continue;
      yield* await audited(sql, batch, feed, systemCurrency);
      batch = [];
      characters = 0;
    }
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    problem = error;
  }
  yield* await audited(sql, batch, feed, systemCurrency);
  if (problem !== undefined) throw problem;
}

function examined(feed: Feed, record: NativeText, systemCurrency: string): Examined {
  const none = { record, uniqueid: null, call: null, isSkipped: false, errors: [] };
  if (record.problem !== undefined) return { ...none, errors: [{ key: '', message: record.problem }] };
  const mapped = mapRecord(feed, record.text);
  if (mapped.kind === 'skip') return { ...none, isSkipped: true };
  const uniqueid = uniqueidOf(mapped.fields);
  if (mapped.kind === 'unmapped') return { ...none, uniqueid, errors: mapped.errors };
  const read = callOf(feed, mapped, systemCurrency);
  return read.kind === 'valid'
    ? { ...none, uniqueid, call: read.call }
    : { ...none, uniqueid, errors: read.errors };
}

async function audited(
  sql: Sql,
  batch: readonly Examined[],
  feed: Feed,
  systemCurrency: string,
): Promise<Audited[]> {
  const asked = batch.filter(({ isSkipped }) => !isSkipped);
  const standings = asked.length === 0 ? [] : await audit(sql, asked, feed.name, systemCurrency);
  const found = new Map(mapPairs(asked, standings, (record, standing) => [record, standing] as const));
  return batch.map((each) => {
    const { record, uniqueid, errors } = each;
    return { record, uniqueid, errors, standing: found.get(each) ?? { state: 'skipped' } };
  });
}
