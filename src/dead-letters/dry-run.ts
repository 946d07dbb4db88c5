import { billingRulesOf, type billingVariables } from '../billing-rules.ts';
import type { Config } from '../config.ts';
import type { BillingRules } from '../domain/charge.ts';
import { ignoredNames } from '../domain/ignored.ts';
import { countingBody } from '../domain/kept.ts';
import { codeOf, isFirst, type Outcome } from '../domain/outcome.ts';
import { responsesTo } from '../domain/reply.ts';
import { entryIdOf } from '../domain/submission.ts';
import type { Database } from '../store/database.ts';
import { readReplayable } from '../store/dead-letters/mark.ts';
import { classifyFailure, describeFailure } from '../store/failures.ts';
import { type MovedCall, persistAndLook, rollingBack } from '../store/persist/dry-run.ts';
import type { Run } from '../store/replays/create.ts';
import { type LetterToTry, readToTry } from '../store/replays/letters.ts';
import { readReplayRow } from '../store/replays/read.ts';
import {
  endReplay,
  type ReplayCounts,
  recordTried,
  skipLetters,
  type TriedLetter,
} from '../store/replays/run.ts';
import { retrying } from '../store/retrying.ts';
import type { Sql } from '../store/sql.ts';
import type { FeedLookup } from '../worker/feeds.ts';
import { admitKept, type ReplayRules } from '../worker/replay-admission.ts';
import { asSelected } from './chunk.ts';
import { type Correction, correctionOnRecord } from './correction.ts';
import { type Skipped, withCorrections } from './corrections.ts';
import { Heartbeat } from './heartbeat.ts';
import { entryIdFor } from './message.ts';
import { halvesOf, partsOf, transactionsOf } from './portions.ts';

export interface DryRunContext {
  database: Pick<Database, 'sql' | 'transaction'>;
  config: Pick<Config, (typeof billingVariables)[number] | 'MAX_BODY_BYTES' | 'IGNORED_PARAMETERS'>;
  /** Of the sources file that records are mapped with. */
  feeds: Pick<FeedLookup, 'feedNamed'>;
  /** When aborted, the dry run ends incomplete. Its reason, if that is text, says why on its row. */
  stop: AbortSignal;
  onProgress: (progress: DryRunProgress) => void;
}

export interface DryRunProgress {
  selected: number;
  tried: number;
  skipped: number;
}

const TIMEOUT_MS = 60_000;

/**
 * Does what a replay would do, in transactions that are rolled back, and writes down what each letter would become and
 * what its call would be charged. Letters that share a uniqueid are persisted in one transaction, so that the second of
 * them meets the first. However many they are, only a few messages are in memory at a time.
 *
 * Resolves with whether it is complete. Rejects with what the database throws.
 */
export async function runDryRun(run: Run, context: DryRunContext): Promise<boolean> {
  const { database, config, feeds, stop, onProgress } = context;
  const { sql } = database;
  const row = await readReplayRow(sql, run.id);
  if (row === undefined) throw new Error(`there is no dry run ${run.id}`);
  const progress: DryRunProgress = { selected: row.selected, tried: 0, skipped: 0 };
  const heartbeat = new Heartbeat(sql, run, () => countsOf(progress));
  const end = async (state: 'tried' | 'failed', problem: string | null) => {
    await heartbeat.stop();
    await retrying(() => endReplay(sql, run, countsOf(progress), state, problem));
  };
  const trial: Trial = {
    id: run.id,
    database,
    correction: correctionOnRecord(row.correction),
    billing: billingRulesOf(config),
    rules: rulesOf(config, feeds),
  };
  try {
    for (const letters of transactionsOf(await readToTry(sql, run.id))) {
      if (stop.aborted || heartbeat.halt !== null) {
        await end('failed', typeof stop.reason === 'string' ? stop.reason : null);
        return false;
      }
      const { tried, skipped } = await retrying(() => tryLetters(letters, trial));
      progress.tried += tried;
      progress.skipped += skipped;
      onProgress(progress);
    }
    await end('tried', null);
    return true;
  } catch (error) {
    // If not even this can be written, its silence says that it was interrupted.
    await end('failed', describeFailure(error)).catch(() => undefined);
    throw error;
  } finally {
    await heartbeat.stop();
  }
}

function rulesOf(config: DryRunContext['config'], feeds: DryRunContext['feeds']): ReplayRules {
  return {
    maxBodyBytes: config.MAX_BODY_BYTES,
    // A dry run keeps nothing.
    keptBodyBytes: 0,
    ignored: ignoredNames(config.IGNORED_PARAMETERS),
    systemCurrency: config.SYSTEM_CURRENCY,
    feeds,
    program: 'command',
  };
}

function countsOf({ tried, skipped }: DryRunProgress): ReplayCounts {
  return { tried, skipped, sent: 0, resolved: 0, refused: 0, takenOver: 0 };
}

/** What the letters of one dry run are tried with. */
interface Trial {
  /** Of the dry run. */
  id: string;
  database: Pick<Database, 'sql' | 'transaction'>;
  correction: Correction;
  billing: BillingRules;
  rules: ReplayRules;
}

/** Tries some letters. What the database itself refuses, by a trigger for instance, is found by dividing them. */
async function tryLetters(
  letters: readonly LetterToTry[],
  trial: Trial,
): Promise<{ tried: number; skipped: number }> {
  try {
    return await tryTogether(letters, trial);
  } catch (error) {
    if (classifyFailure(error) !== 'message') throw error;
    const [only, another] = letters;
    if (only !== undefined && another === undefined) {
      await recordTried(trial.database.sql, trial.id, [refusedLetter(only, describeFailure(error))]);
      return { tried: 1, skipped: 0 };
    }
    const [first, second] = halvesOf(letters);
    const one = await tryLetters(first, trial);
    const other = await tryLetters(second, trial);
    return { tried: one.tried + other.tried, skipped: one.skipped + other.skipped };
  }
}

/** Tries some letters in one transaction, and then writes down what they came to. */
async function tryTogether(letters: readonly LetterToTry[], trial: Trial) {
  const skipped: Skipped[] = [];
  const { database, id } = trial;
  const work = async (sql: Sql) => {
    const tried: TriedLetter[] = [];
    for (const part of partsOf(letters)) tried.push(...(await tryPart(part, sql, trial, skipped)));
    return tried;
  };
  const tried = await rollingBack(database, work, TIMEOUT_MS);
  await recordTried(database.sql, id, tried);
  await skipLetters(database.sql, id, skipped);
  return { tried: tried.length, skipped: skipped.length };
}

async function tryPart(
  letters: readonly LetterToTry[],
  sql: Sql,
  { correction, rules, billing }: Trial,
  skipped: Skipped[],
): Promise<TriedLetter[]> {
  const ids = letters.map(({ id }) => id);
  const unchanged = asSelected(letters, await readReplayable(sql, ids), skipped);
  const { rows, skipped: unsendable } = withCorrections(unchanged, correction);
  skipped.push(...unsendable);
  const submissions = rows.map(({ properties, ...row }) => {
    const kept = {
      ...row,
      ...countingBody(row),
      contentType: properties.contentType ?? null,
      messageId: entryIdFor({ properties, ...row }),
    };
    // No dead letter is written: the row itself is one.
    return { ...admitKept(kept, rules), deadLetter: () => null };
  });
  const { outcomes, moved } = await persistAndLook(sql, submissions, billing);
  const moves = new Map(moved.map((move) => [move.of, move]));
  return rows.flatMap((row, index) => {
    const [outcome, submission] = [outcomes[index], submissions[index]];
    if (outcome === undefined || submission === undefined) return [];
    const uniqueid = submission.kind === 'call' ? submission.call.cdr.uniqueid : row.uniqueid;
    return [triedLetter(row.id, uniqueid, outcome, moves.get(entryIdOf(submission) ?? uniqueid ?? ''))];
  });
}

/** A letter that the worker would keep as `failed`: told in the words of the database, which its reply would not have. */
function refusedLetter({ id, uniqueid }: LetterToTry, error: string): TriedLetter {
  const refused = triedLetter(id, uniqueid, { kind: 'failed', reason: 'failed', error }, undefined);
  return { ...refused, answer: JSON.stringify([{ code: refused.code, key: '', message: error }]) };
}

function triedLetter(
  id: string,
  uniqueid: string | null,
  outcome: Outcome,
  move: MovedCall | undefined,
): TriedLetter {
  const moved = isFirst(outcome) ? move : undefined;
  return {
    id,
    uniqueid,
    becomes: outcome.kind,
    code: codeOf(outcome),
    answer: JSON.stringify(responsesTo(outcome)),
    charged: moved?.charged ?? null,
    currency: moved?.currency ?? null,
    customer: moved?.customer ?? null,
    invoice: moved?.invoice ?? null,
    uninvoiced: moved?.uninvoiced ?? false,
    billed: moved?.billed ?? null,
    billed_currency: moved?.billedCurrency ?? null,
  };
}
