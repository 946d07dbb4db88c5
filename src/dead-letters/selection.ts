import { INTEGER_MAX } from '../domain/contract.ts';
import { type DeadReason, deadReasons, isForgeable, refusalCodes } from '../domain/outcome.ts';
import {
  type DeadLetterStatus,
  deadLetterStatuses,
  isReason,
  isStatus,
  openStatuses,
} from '../domain/record.ts';
import { expectStorable, InvalidInput, readTime } from '../input.ts';
import { isFeedName } from '../sources/schema.ts';
import type { DeadLetterFilter } from '../store/dead-letters/list.ts';
import { type Replayable, readReplayable, selectLetters } from '../store/dead-letters/mark.ts';
import type { ChosenLetter } from '../store/replays/create.ts';
import type { Sql } from '../store/sql.ts';
import type { Correction } from './correction.ts';
import type { Skipped } from './corrections.ts';
import { type KnownFeeds, type Prepared, prepareCorrection } from './prepare-correction.ts';

/** A selection as text, from a command line, a form or a URL. */
export interface SelectionText {
  ids?: readonly string[] | undefined;
  reason?: string | undefined;
  status?: string | undefined;
  code?: string | undefined;
  key?: string | undefined;
  /** The first parameter that the reply names: what problems are grouped by. */
  answerKey?: string | undefined;
  search?: string | undefined;
  customer?: string | undefined;
  machine?: string | undefined;
  uniqueid?: string | undefined;
  source?: string | undefined;
  since?: string | undefined;
  until?: string | undefined;
  /** Of those closed by one act: its time. */
  closedAt?: string | undefined;
}

/**
 * Parses a selection. Empty parts are ignored, except `key` ('' selects replies that name no parameter) and `source`
 * ('' selects what came by no feed). Throws InvalidInput.
 */
export function readSelection(text: SelectionText, now: Date): DeadLetterFilter {
  for (const [name, part] of Object.entries(text))
    if (typeof part === 'string') expectStorable(nameInUrls(name), part);
  const filter: DeadLetterFilter = {};
  if (text.ids !== undefined && text.ids.length > 0) filter.ids = text.ids.map(idOf);
  if (text.reason) filter.reasons = list<DeadReason>('reason', text.reason, isReason, deadReasons);
  if (text.status)
    filter.statuses = list<DeadLetterStatus>('status', text.status, isStatus, deadLetterStatuses);
  if (text.code) filter.code = oneOf('code', text.code, refusalCodes);
  if (text.key !== undefined) filter.key = text.key;
  if (text.answerKey !== undefined) filter.answerKey = text.answerKey;
  if (text.search?.trim()) filter.search = text.search;
  if (text.customer) filter.customer = customerOf(text.customer);
  if (text.machine) filter.machine = text.machine;
  if (text.uniqueid) filter.uniqueid = text.uniqueid;
  if (text.source !== undefined) filter.source = sourceOf(text.source);
  if (text.since) filter.since = readTime('since', text.since, now);
  if (text.until) filter.until = readTime('until', text.until, now);
  if (text.closedAt) filter.closedAt = closedAtOf(text.closedAt);
  return filter;
}

/** `answerKey` is `answer_key` to those who type it. */
function nameInUrls(name: string): string {
  return name.replace(/[A-Z]/g, (capital) => `_${capital.toLowerCase()}`);
}

function idOf(text: string): string {
  if (/^\d{1,18}$/.test(text)) return text;
  throw new InvalidInput(`id: expected a whole number, got ${JSON.stringify(text)}`);
}

/** To the microsecond, as `Closed.at` is. */
function closedAtOf(text: string): string {
  if (/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/.test(text) && !Number.isNaN(Date.parse(text))) return text;
  throw new InvalidInput(`closed_at: expected the time of an act, got ${JSON.stringify(text)}`);
}

function list<Item extends string>(
  name: string,
  text: string,
  is: (item: string) => item is Item,
  known: readonly string[],
): Item[] {
  return text.split(',').map((part) => {
    const item = part.trim();
    if (!is(item)) throw unknown(name, item, known);
    return item;
  });
}

function oneOf(name: string, text: string, known: readonly string[]): string {
  if (!known.includes(text)) throw unknown(name, text, known);
  return text;
}

function unknown(name: string, text: string, known: readonly string[]): InvalidInput {
  return new InvalidInput(`${name}: expected one of ${known.join(', ')}, got ${JSON.stringify(text)}`);
}

function sourceOf(text: string): string {
  if (text === '' || isFeedName(text)) return text;
  throw new InvalidInput(`source: expected the name of a feed, got ${JSON.stringify(text)}`);
}

function customerOf(text: string): number {
  const id = Number(text);
  if (/^\d{1,10}$/.test(text) && id <= INTEGER_MAX) return id;
  throw new InvalidInput(`customer: expected the ID of a customer, got ${JSON.stringify(text)}`);
}

/** What may be replayed: a filter, and a check that says in one line why a row is excluded by it. */
export interface ReplayFilter {
  filter: DeadLetterFilter;
  /** Null for a row that is not excluded. */
  exclusionOf: (row: Pick<Replayable, 'status' | 'reason' | 'verified'>) => Exclusion | null;
}

interface Exclusion {
  why: string;
  /** What the selection would have to name to include it; missing if nothing would. */
  needs?: { reason?: DeadReason; unverified?: true };
}

/**
 * Narrows a selection to what a replay sends: open dead letters of verified senders. Throws InvalidInput if the
 * selection asks for closed ones.
 *
 * @param unverified also those whose sender is not verified; the operator vouches for them
 */
export function replayFilter(selected: DeadLetterFilter, unverified: boolean): ReplayFilter {
  const closed = selected.statuses?.find((status) => !openStatuses.includes(status));
  if (closed !== undefined)
    throw new InvalidInput(`status: expected dead or replaying for a replay, got ${closed}`);
  const reasons = selected.reasons ?? deadReasons.filter((reason) => !isForgeable(reason));
  const filter: DeadLetterFilter = {
    ...selected,
    reasons,
    statuses: selected.statuses ?? openStatuses,
    ...(!unverified && { verified: true }),
  };
  const exclusionOf: ReplayFilter['exclusionOf'] = ({ status, reason, verified }) => {
    if (!openStatuses.includes(status)) return { why: `status is ${status}` };
    const isNamed = reasons.includes(reason);
    const isVouchedFor = verified || unverified;
    if (isNamed && isVouchedFor) return null;
    const why = [
      ...(isNamed ? [] : ['not replayed unless its reason is named']),
      ...(isVouchedFor ? [] : ['sender not verified']),
    ].join('; ');
    return { why, needs: { ...(!isNamed && { reason }), ...(!isVouchedFor && { unverified: true }) } };
  };
  return { filter, exclusionOf };
}

export type Excluded = Skipped & Exclusion;

/** The frozen selection of a replay. */
export interface ReplaySelection {
  letters: ChosenLetter[];
  /** Dead letters that were named by id but are excluded. */
  excluded: Excluded[];
  /** The correction as it may be made, or why it may not be made of this selection. */
  prepared: Prepared;
}

/**
 * Selects what a replay sends, oldest death first.
 *
 * @param limit at most so many, null for all
 * @param feeds of the sources file, for a body in place of a feed's record
 */
export async function selectForReplay(
  sql: Sql,
  { filter, exclusionOf }: ReplayFilter,
  { correction, why, limit }: { correction: Correction; why: string | null; limit: number | null },
  feeds: KnownFeeds,
): Promise<ReplaySelection> {
  const letters = await selectLetters(sql, filter, limit);
  const ids = letters.map(({ id }) => id);
  const prepared = prepareCorrection(await readReplayable(sql, ids.slice(0, 2)), correction, why, feeds);
  const selected = new Set(ids);
  // With a limit a named one may only be beyond it.
  const named = limit === null ? (filter.ids ?? []).filter((id) => !selected.has(id)) : [];
  const excluded = (await readReplayable(sql, named)).flatMap((row) => {
    const exclusion = exclusionOf(row);
    return exclusion === null ? [] : [{ id: row.id, ...exclusion }];
  });
  return { letters, excluded, prepared };
}
