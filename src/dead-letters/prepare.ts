import { randomUUID } from 'node:crypto';
import type { Program } from '../domain/activity.ts';
import { counted } from '../plural.ts';
import { sleep } from '../retry.ts';
import type { Database } from '../store/database.ts';
import type { DeadLetterFilter } from '../store/dead-letters/list.ts';
import {
  askToStop,
  type Claimant,
  claimAgain,
  DRY_RUN_HOURS,
  isSilentSince,
  lockStarts,
  type Overlap,
  readOverlap,
  startTried,
} from '../store/replays/claim.ts';
import { createReplay, type NewReplay, type Run } from '../store/replays/create.ts';
import { type ReplayRow, readReplayRow } from '../store/replays/read.ts';
import type { Sql } from '../store/sql.ts';
import { type Correction, correctsNothing } from './correction.ts';
import type { Limits } from './pace.ts';
import type { ReplaySelection } from './selection.ts';

/** A replay or a dry run that is to be run by this process, or why not. */
export type PreparedReplay =
  | { kind: 'prepared'; run: Run }
  /** Nothing is selected; there is no replay. */
  | { kind: 'nothing' }
  | Refused;

/** `other` is a replay that is in the way; the words name it. */
export interface Refused {
  kind: 'refused';
  why: string;
  other: string | null;
}

const TIMEOUT_MS = 120_000;
const LOOK_EVERY_MS = 500;

/** What is asked for. */
export interface ReplayRequest extends Claimant, Limits {
  why: string | null;
  correction: Correction;
  /** What was selected, for the record. */
  selected: DeadLetterFilter;
  unverified: boolean;
  limit: number | null;
}

/** More ids than this are only counted on record. */
const IDS_ON_RECORD = 20;

function onRecord({ selected, unverified, limit, ...request }: ReplayRequest): NewReplay {
  const { ids, ...filter } = selected;
  const named = ids === undefined ? {} : { ids: ids.length <= IDS_ON_RECORD ? ids : ids.length };
  const more = { ...(unverified && { unverified }), ...(limit !== null && { limit }) };
  const correction = correctsNothing(request.correction) ? {} : request.correction;
  return { ...request, filter: { ...filter, ...named, ...more }, correction };
}

/**
 * Writes a replay, or a dry run, with exactly these dead letters; whoever gets its `run` must run it at once. A replay is
 * refused while another one has some of them in hand. Throws what the database throws.
 */
export async function prepareReplay(
  database: Pick<Database, 'sql' | 'transaction'>,
  { letters }: Pick<ReplaySelection, 'letters'>,
  request: ReplayRequest,
  kind: 'dry run' | 'replay',
): Promise<PreparedReplay> {
  if (letters.length === 0) return { kind: 'nothing' };
  const runner = randomUUID();
  if (kind === 'dry run') {
    const create = (sql: Sql) => createReplay(sql, onRecord(request), letters, 'trying', runner);
    const id = await database.transaction(create, { timeoutMs: TIMEOUT_MS });
    return { kind: 'prepared', run: { id, runner } };
  }
  return await claiming(database, async (sql) => {
    const id = await createReplay(sql, onRecord(request), letters, 'running', runner);
    return { id, runner };
  });
}

/** Turns a dry run into a replay of exactly what was tried. Throws what the database throws. */
export async function startReplay(
  database: Pick<Database, 'sql' | 'transaction'>,
  id: string,
  order: Claimant & Limits,
): Promise<PreparedReplay> {
  return await takeOver(database, id, 'start', (sql, run) => startTried(sql, run, order));
}

/**
 * Lets a replay go on that was stopped, failed or was interrupted; without limits, with its own. Throws what the database
 * throws.
 */
export async function resumeReplay(
  database: Pick<Database, 'sql' | 'transaction'>,
  id: string,
  order: Claimant & Limits,
): Promise<PreparedReplay> {
  return await takeOver(database, id, 'resume', (sql, run) => claimAgain(sql, run, order));
}

/** @param take false if the row is in no state for it */
async function takeOver(
  database: Pick<Database, 'sql' | 'transaction'>,
  id: string,
  wanted: 'start' | 'resume',
  take: (sql: Sql, run: Run) => Promise<boolean>,
): Promise<PreparedReplay> {
  return await claiming(database, async (sql) => {
    const run = { id, runner: randomUUID() };
    return (await take(sql, run)) ? run : refusalOf(await readReplayRow(sql, id), id, wanted);
  });
}

/** Stops a replay or a dry run, whichever process runs it: nothing more is sent. Returns why not, null if it stops. */
export async function stopReplay(sql: Sql, id: string, by: string, program: Program): Promise<string | null> {
  if (await askToStop(sql, id, by, program)) return null;
  const row = await readReplayRow(sql, id);
  if (row === undefined) return `there is no replay ${id}`;
  return row.stop_by !== null && (row.state === 'trying' || row.state === 'running')
    ? `${row.kind} ${id} is being stopped by ${row.stop_by}`
    : `${row.kind} ${id} is not under way: it is ${stateWords(row)}`;
}

/** What became of a claim; anything but `run` is rolled back. */
type Claim = Run | Refused;

class Undone extends Error {
  readonly overlap: Overlap | undefined;
  readonly refused: Refused;

  constructor(refused: Refused, overlap?: Overlap) {
    super(refused.why);
    this.refused = refused;
    this.overlap = overlap;
  }
}

/** Claims a replay in a transaction, unless another one has some of its letters in hand. */
async function claiming(
  database: Pick<Database, 'sql' | 'transaction'>,
  claim: (sql: Sql) => Promise<Claim>,
): Promise<PreparedReplay> {
  for (;;) {
    try {
      const run = await database.transaction((sql) => claimWithin(sql, claim), { timeoutMs: TIMEOUT_MS });
      return { kind: 'prepared', run };
    } catch (error) {
      if (!(error instanceof Undone)) throw error;
      const { overlap, refused } = error;
      if (overlap === undefined || !(await hasGone(database.sql, overlap))) return refused;
    }
  }
}

async function claimWithin(sql: Sql, claim: (sql: Sql) => Promise<Claim>): Promise<Run> {
  await lockStarts(sql);
  const claimed = await claim(sql);
  if ('kind' in claimed) throw new Undone(claimed);
  const overlap = await readOverlap(sql, claimed.id);
  if (overlap !== undefined) throw new Undone(overlapping(overlap), overlap);
  return claimed;
}

/**
 * Whether the process of another replay has gone. A living one writes within a second or two; that of one that was killed is
 * waited for, so that the same command can be run again at once.
 */
async function hasGone(sql: Sql, { id, aliveAt }: Overlap): Promise<boolean> {
  while (await isSilentSince(sql, id, aliveAt)) await sleep(LOOK_EVERY_MS);
  const row = await readReplayRow(sql, id);
  return row?.state !== 'running';
}

function overlapping({ id, operator, letters }: Overlap): Refused {
  const these = `${counted(letters, 'of these dead letter')}`;
  return {
    kind: 'refused',
    why: `replay ${id}, started by ${operator}, has ${these} in hand: wait for it, or stop it`,
    other: id,
  };
}

function refusalOf(row: ReplayRow | undefined, id: string, wanted: 'start' | 'resume'): Refused {
  if (row === undefined) return { kind: 'refused', why: `there is no replay ${id}`, other: null };
  const refused = (why: string): Refused => ({ kind: 'refused', why, other: id });
  if (wanted === 'start' && row.state === 'tried')
    return refused(
      `dry run ${id} is older than ${DRY_RUN_HOURS} hours, and much may have changed since: make another`,
    );
  const state = `it is ${stateWords(row)}`;
  if (wanted === 'start')
    return refused(
      row.kind === 'dry run'
        ? `dry run ${id} is not complete: ${state}`
        : `dry run ${id} has been replayed already: ${state}`,
    );
  return refused(
    row.kind === 'dry run'
      ? `${id} is a dry run, which is never resumed: ${state}`
      : `replay ${id} has nothing to resume: ${state}`,
  );
}

function stateWords({ state, operator, kind }: ReplayRow): string {
  if (state === 'tried') return 'complete';
  if (state === 'trying') return `under way, started by ${operator}`;
  return kind === 'replay' ? `${state}, started by ${operator}` : state;
}
