import { correctedBody, type Edits } from '../domain/kept.ts';
import { codeOf, type Outcome } from '../domain/outcome.ts';
import { type ResponseEntry, responsesTo } from '../domain/reply.ts';
import type { Submission } from '../domain/submission.ts';
import type { Replayable } from '../store/dead-letters/mark.ts';
import { correctionsFor, keptCall, whyNotSent } from './corrections.ts';

/** What one persisted call moved. */
export interface Moved {
  uniqueid: string;
  customer: number;
  /** By what the customer's balance falls. */
  charged: string;
  currency: string;
}

/** The outside world as a dry run sees it. */
export interface DryRunPorts {
  read: (ids: readonly string[]) => Promise<Replayable[]>;
  admit: (body: Buffer, contentType: string | null) => Submission;
  /** Persists in a transaction that is rolled back. */
  tryOut: (submissions: readonly Submission[]) => Promise<{ outcomes: Outcome[]; moved: Moved[] }>;
}

/** What a dead letter would become. */
export interface DryRunCall {
  id: string;
  uniqueid: string | null;
  becomes: Outcome['kind'];
  code: string;
  responses: ResponseEntry[];
  charged: string | null;
  currency: string | null;
  customer: number | null;
}

export interface DryRun {
  rows: DryRunCall[];
  leftAlone: { id: string; why: string }[];
}

/** Rows that one transaction persists: it holds the locks of their customers until it is rolled back. */
const CHUNK = 200;

/**
 * What a replay would do, without doing it. Rows that share a uniqueid are tried in one transaction, so that the
 * second of them meets the first.
 */
export async function dryRunReplays(
  ids: readonly string[],
  edits: Edits,
  ports: DryRunPorts,
): Promise<DryRun> {
  const result: DryRun = { rows: [], leftAlone: [] };
  const rows = (await ports.read(ids)).filter((row) => {
    const why = whyNotSent(row, edits);
    if (why !== null) result.leftAlone.push({ id: row.id, why });
    return why === null;
  });
  const { corrections, unreadable } = correctionsFor(rows, edits);
  const wanted = new Map(corrections.map((correction) => [correction.id, correction.edits]));
  const isCorrected = Object.keys(edits).length > 0;
  const open = rows.flatMap((row) => {
    if (isCorrected && unreadable.includes(row.id)) {
      result.leftAlone.push({ id: row.id, why: 'its body cannot be read, so nothing in it can be set' });
      return [];
    }
    return [{ ...row, edits: wanted.get(row.id) ?? row.edits }];
  });
  for (const chunk of chunksOf(open)) result.rows.push(...(await dryRunChunk(chunk, ports)));
  const order = new Map(ids.map((id, index) => [id, index]));
  result.rows.sort((one, other) => (order.get(one.id) ?? 0) - (order.get(other.id) ?? 0));
  return result;
}

async function dryRunChunk(
  rows: readonly Replayable[],
  { admit, tryOut }: DryRunPorts,
): Promise<DryRunCall[]> {
  const submissions = rows.map((row) => {
    const { body, contentType } = correctedBody(keptCall(row), row.edits);
    // The row itself is the dead letter.
    return { ...admit(Buffer.from(body), contentType), deadLetter: () => null };
  });
  const { outcomes, moved } = await tryOut(submissions);
  const byUniqueid = new Map(moved.map((one) => [one.uniqueid, one]));
  return rows.flatMap(({ id, uniqueid }, index): DryRunCall[] => {
    const outcome = outcomes[index];
    const verdict = submissions[index]?.verdict;
    if (outcome === undefined || verdict === undefined) return [];
    const called = verdict.kind === 'call' ? verdict.call.cdr.uniqueid : uniqueid;
    const move = outcome.kind === 'accepted' ? byUniqueid.get(called ?? '') : undefined;
    return [
      {
        id,
        uniqueid: called,
        becomes: outcome.kind,
        code: codeOf(outcome),
        responses: responsesTo(outcome),
        charged: move?.charged ?? null,
        currency: move?.currency ?? null,
        customer: move?.customer ?? null,
      },
    ];
  });
}

/** In the order of uniqueids, cut between two different ones. */
function chunksOf(rows: readonly Replayable[]): Replayable[][] {
  const nameOf = (row: Replayable) => row.edits.uniqueid ?? row.uniqueid ?? '';
  const sorted = [...rows].sort((one, other) => compare(nameOf(one), nameOf(other)));
  const chunks: Replayable[][] = [];
  let last: Replayable | undefined;
  for (const row of sorted) {
    const chunk = chunks.at(-1);
    const isSame = last !== undefined && nameOf(last) === nameOf(row) && nameOf(row) !== '';
    if (chunk !== undefined && (chunk.length < CHUNK || isSame)) chunk.push(row);
    else chunks.push([row]);
    last = row;
  }
  return chunks;
}

/** Equal ones keep their order: the oldest death comes first in a replay too. */
function compare(one: string, other: string): number {
  if (one === other) return 0;
  return one < other ? -1 : 1;
}
