import { parameters } from '../domain/contract.ts';
import { countingBody, keptFields } from '../domain/kept.ts';
import type { Replayable } from '../store/dead-letters/mark.ts';
import type { FeedLookup } from '../worker/feeds.ts';
import { type Correction, whyNeeded } from './correction.ts';
import { mendedCall, mendedRecord } from './mended-body.ts';

/** The feeds of the sources file. */
export type KnownFeeds = Pick<FeedLookup, 'feedNamed'>;

/** A correction that may be made and kept, or why it may not. */
export type Prepared =
  | {
      kind: 'ready';
      /** Its body as it is kept: without credentials. */
      correction: Correction;
      /** What the operator should know of it, a line each. */
      said: string[];
    }
  | { kind: 'refused'; problem: string };

/**
 * Looks at a correction before anything of it is kept: what needs a reason has one; only one dead letter at a time gets
 * another body or another uniqueid, because the uniqueid is what keeps a call from being charged twice.
 *
 * @param rows what is selected; of many the first two are enough
 * @param feeds of the sources file, to read the record of a feed
 */
export function prepareCorrection(
  rows: readonly Replayable[],
  correction: Correction,
  why: string | null,
  feeds: KnownFeeds,
): Prepared {
  const [unexplained] = why === null ? whyNeeded(correction) : [];
  if (unexplained !== undefined)
    return refused(`${optionOf(unexplained, correction)}: ${unexplained} requires a reason (why)`);
  const problem = correction.set.uniqueid === undefined ? null : uniqueidProblem(rows);
  if (problem !== null) return refused(problem);
  const { body, ...others } = correction;
  const [row, another] = rows;
  if (body === undefined || row === undefined) return { kind: 'ready', correction: others, said: [] };
  if (another !== undefined) return refused('body: only one dead letter at a time gets another body');
  const { source } = row;
  const mended = source === null ? mendedCall(body) : mendedRecord(body, source, feeds.feedNamed(source));
  if (mended.kind === 'refused') return refused(`body: ${mended.problem}`);
  const { uniqueid, said } = mended;
  const isAnother = uniqueid !== null && uniqueid !== row.uniqueid;
  if (isAnother && !mayGetAnother(row))
    return refused(
      `body: has the uniqueid ${uniqueid}, but dead letter ${row.id} is of ${row.uniqueid}; only a conflict may get another`,
    );
  // On record as an edit, where everything looks that has to know the uniqueid of a corrected call.
  const set = isAnother ? { uniqueid, ...others.set } : others.set;
  return { kind: 'ready', correction: { ...others, set, body: mended.body }, said };
}

/** Null if these rows may get another uniqueid. */
function uniqueidProblem(rows: readonly Replayable[]): string | null {
  const other = rows.find((row) => !mayGetAnother(row));
  if (other !== undefined)
    return `set: uniqueid can only be set for a conflict, but ${other.id} is ${other.reason}`;
  return rows.length > 1 ? 'set: uniqueid can only be set for one dead letter at a time' : null;
}

/** A conflict, or a call whose own uniqueid no call can be stored under: it has none, or one that is not valid. */
function mayGetAnother(row: Replayable): boolean {
  if (row.reason === 'conflict' || row.uniqueid === null) return true;
  const fields = row.source === null ? keptFields(countingBody(row).body) : null;
  return fields !== null && !parameters.shape.uniqueid.safeParse(fields.uniqueid).success;
}

/** The part of a correction that names a parameter. */
function optionOf(name: string, { set, unset }: Correction): keyof Correction {
  if (name === 'body') return 'body';
  if (Object.hasOwn(set, name)) return 'set';
  return unset.includes(name) ? 'unset' : 'rename';
}

function refused(problem: string): Prepared {
  return { kind: 'refused', problem };
}
