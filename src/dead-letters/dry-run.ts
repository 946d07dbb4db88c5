import { billingRulesOf, type billingVariables } from '../billing-rules.ts';
import type { Config } from '../config.ts';
import type { BillingRules } from '../domain/charge.ts';
import { ignoredNames } from '../domain/ignored.ts';
import { countingBody } from '../domain/kept.ts';
import { amount, plain, ZERO } from '../domain/money.ts';
import { codeOf, type Outcome } from '../domain/outcome.ts';
import { type ResponseEntry, responsesTo } from '../domain/reply.ts';
import type { Database } from '../store/database.ts';
import { type Replayable, readReplayable } from '../store/dead-letters/mark.ts';
import { persistAndRollBack } from '../store/persist/dry-run.ts';
import { retrying } from '../store/retrying.ts';
import type { FeedLookup } from '../worker/feeds.ts';
import { admitKept, type ReplayRules } from '../worker/replay-admission.ts';
import type { Correction } from './correction.ts';
import { type Skipped, withCorrections } from './corrections.ts';

/** What a replay would do. `--json` prints it as it is. */
export interface DryRun {
  rows: DryRunRow[];
  skipped: Skipped[];
}

/** What a dead letter would become, and what its call would be charged. */
export interface DryRunRow {
  id: string;
  uniqueid: string | null;
  becomes: Outcome['kind'];
  code: string;
  responses: ResponseEntry[];
  charged: string | null;
  currency: string | null;
  customer: number | null;
}

/** Rows that one transaction persists; it locks their customers until it is rolled back. */
const CHUNK = 200;
const TIMEOUT_MS = 60_000;

/**
 * Does what a replay would do, in transactions that are rolled back. Rows that share a uniqueid are persisted in one
 * transaction, so that the second of them meets the first.
 *
 * @param feeds of the sources file that records are mapped with
 */
export async function dryRun(
  ids: readonly string[],
  correction: Correction,
  database: Database,
  config: Pick<Config, (typeof billingVariables)[number] | 'MAX_BODY_BYTES' | 'IGNORED_PARAMETERS'>,
  feeds: Pick<FeedLookup, 'feedNamed'>,
): Promise<DryRun> {
  const rules: ReplayRules = {
    maxBodyBytes: config.MAX_BODY_BYTES,
    // A dry run keeps nothing.
    keptBodyBytes: 0,
    ignored: ignoredNames(config.IGNORED_PARAMETERS),
    systemCurrency: config.SYSTEM_CURRENCY,
    feeds,
    program: 'command',
  };
  const { rows, skipped } = withCorrections(await readReplayable(database.sql, ids), correction);
  const results: DryRunRow[] = [];
  const billing = billingRulesOf(config);
  for (const chunk of chunksOf(rows)) results.push(...(await persistChunk(chunk, database, rules, billing)));
  const order = new Map(ids.map((id, index) => [id, index]));
  results.sort((one, other) => (order.get(one.id) ?? 0) - (order.get(other.id) ?? 0));
  return { rows: results, skipped };
}

async function persistChunk(
  rows: readonly Replayable[],
  database: Database,
  rules: ReplayRules,
  billing: BillingRules,
): Promise<DryRunRow[]> {
  const submissions = rows.map(({ properties, ...row }) => {
    const kept = { ...row, ...countingBody(row), contentType: properties.contentType ?? null };
    // No dead letter is written: the row itself is one.
    return { ...admitKept(kept, rules), deadLetter: () => null };
  });
  const { outcomes, moved } = await retrying(() =>
    persistAndRollBack(database, submissions, billing, TIMEOUT_MS),
  );
  const charges = new Map(moved.map(({ uniqueid, ...charge }) => [uniqueid, charge]));
  return rows.flatMap(({ id, ...row }, index): DryRunRow[] => {
    const outcome = outcomes[index];
    const submission = submissions[index];
    if (outcome === undefined || submission === undefined) return [];
    const uniqueid = submission.kind === 'call' ? submission.call.cdr.uniqueid : row.uniqueid;
    const charge = outcome.kind === 'accepted' ? charges.get(uniqueid ?? '') : undefined;
    return [
      {
        id,
        uniqueid,
        becomes: outcome.kind,
        code: codeOf(outcome),
        responses: responsesTo(outcome),
        charged: charge?.charged ?? null,
        currency: charge?.currency ?? null,
        customer: charge?.customer ?? null,
      },
    ];
  });
}

/** Chunks that keep the rows of one uniqueid together, in the order in which a replay would send them. */
function chunksOf(rows: readonly Replayable[]): Replayable[][] {
  const groups = new Map<string, Replayable[]>();
  for (const row of rows) {
    const uniqueid = row.edits.uniqueid ?? row.uniqueid;
    const key = uniqueid ? `uniqueid ${uniqueid}` : `id ${row.id}`;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [row]);
    else group.push(row);
  }
  const chunks: Replayable[][] = [];
  for (const group of groups.values()) {
    const chunk = chunks.at(-1);
    if (chunk !== undefined && chunk.length < CHUNK) chunk.push(...group);
    else chunks.push(group);
  }
  return chunks;
}

/** What would be charged to one customer in one currency. */
export interface ChargeSum {
  customer: number;
  currency: string;
  calls: number;
  charged: string;
}

/** Exact sums of what would be charged, by customer and currency. */
export function chargesOf(rows: readonly DryRunRow[]): ChargeSum[] {
  const sums = new Map<string, { customer: number; currency: string; calls: number; sum: typeof ZERO }>();
  for (const { customer, currency, charged } of rows) {
    if (customer === null || currency === null || charged === null) continue;
    const key = `${customer} ${currency}`;
    const before = sums.get(key) ?? { customer, currency, calls: 0, sum: ZERO };
    sums.set(key, { ...before, calls: before.calls + 1, sum: before.sum.plus(amount(charged)) });
  }
  return [...sums.values()]
    .sort((one, other) => one.customer - other.customer)
    .map(({ sum, ...rest }) => ({ ...rest, charged: plain(sum) }));
}

/** How many would become what, most frequent first. */
export function countsOf(rows: readonly DryRunRow[]): { becomes: string; count: number }[] {
  const counts = new Map<string, number>();
  for (const { becomes } of rows) counts.set(becomes, (counts.get(becomes) ?? 0) + 1);
  return [...counts]
    .map(([becomes, count]) => ({ becomes, count }))
    .sort((one, other) => other.count - one.count);
}
