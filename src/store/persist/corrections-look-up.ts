import type { BillingRules, References } from '../../domain/charge.ts';
import { TIMESTAMP_MAX, taxItems } from '../../domain/contract.ts';
import type { Correction } from '../../domain/correction.ts';
import type { CallRecord } from '../../domain/correction-decision.ts';
import { inLine, type Standing } from '../../domain/standing.ts';
import { type Sql, statement } from '../sql.ts';
import {
  CALL_COLUMNS,
  type CallRow,
  callOf,
  ENTRY_COLUMNS,
  type EntryRow,
  entryOf,
} from './corrections-rows.ts';
import { findReferences } from './look-up.ts';

/** By primary and unique keys. */
const READ = statement(
  'persist.read-corrected-call',
  `select json_build_object(
    'call', (select row_to_json(call) from (select ${CALL_COLUMNS} from cdrs where uniqueid = $1) as call),
    'entries', (select coalesce(json_agg(entry), '[]')
      from (select ${ENTRY_COLUMNS} from corrections where uniqueid = $1) as entry),
    'own', (select row_to_json(entry) from (select ${ENTRY_COLUMNS} from corrections where id = $2) as entry),
    'isPruned', exists (select from past_calls where uniqueid = $1)
  )::text as found`,
);

/** The JSON that READ builds. Not checked each time: a test checks it (test/integration/json-shapes.test.ts). */
export interface FoundCall {
  call: CallRow | null;
  entries: EntryRow[];
  own: EntryRow | null;
  isPruned: boolean;
}

/** The call that a correction is about, its entries in their order, and the entry that has the correction's id. */
export async function readCorrectedCall(
  sql: Sql,
  { uniqueid, id }: Pick<Correction, 'uniqueid' | 'id'>,
): Promise<CallRecord> {
  const [row] = await sql<{ found: string }>(READ, [uniqueid, id]);
  const { call, entries, own, isPruned } = JSON.parse(row?.found ?? '{}') as FoundCall;
  return {
    call: call && callOf(call),
    entries: inLine(entries.map(entryOf)),
    own: own && entryOf(own),
    isPruned,
  };
}

/** What a correction of a call refers to; `openInvoices` are all of a customer's, whatever their period. */
export async function lookUpForCorrection(
  sql: Sql,
  { changes }: Correction,
  { inForce }: Standing,
  billing: BillingRules,
): Promise<References> {
  const customers = [inForce.customer, ...(changes.customer === null ? [] : [changes.customer])];
  const taxes = changes.taxes ?? inForce.taxes;
  const items = taxes === '' ? [] : taxItems(taxes);
  const isId = (item: string) => /^\d+$/.test(item);
  return await findReferences(
    sql,
    [
      [],
      [...new Set(customers)],
      [],
      items.filter(isId).map(Number),
      items.filter((item) => !isId(item)),
      [],
      [...new Set(customers)],
      0,
      TIMESTAMP_MAX,
      billing.openStatuses,
    ],
    billing,
  );
}
