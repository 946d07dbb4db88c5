import type { Difference } from '../../domain/cdr.ts';
import type { DeadLetter } from '../../domain/dead-letter.ts';
import type { Operation } from '../../domain/operation.ts';
import { type DeadReason, deadReasonOf, type Outcome } from '../../domain/outcome.ts';
import { type ResponseEntry, responsesTo } from '../../domain/reply.ts';
import { clean, cut, shorten } from '../../domain/text.ts';

/** A digest as it is stored: keyed by the database, so that nobody can test passwords against it. */
export const keyed = (digest: string) => `letter_digest(decode(${digest}, 'hex'))`;

const RECORD = `reason text, uniqueid text, scustomer int, machine text, submitted_by text, verified boolean,
  responses jsonb, body text, altered text[], digest text, properties jsonb, differences jsonb, error text, deaths int,
  cost numeric, currency char(3), waits_for text, source text, operation text, answer_key text, search_keys text[], is_new boolean`;

/** The dead letters of a batch, as JSON. */
export const lettersIn = (json: string) =>
  `select letter.*, ${keyed('digest')} as keyed from json_to_recordset(${json}::json) as letter(${RECORD})`;

/** Of a row that is there already: it was discarded, and not for good, and its switch sends the call again. */
const IS_SENT_AGAIN = `d.status = 'discarded' and not d.closed_for_good
      and (excluded.reason, excluded.digest) in (select reason, keyed from letter where is_new and verified)`;

/**
 * Inserts the dead letters of a batch, ordered by key so that two workers cannot deadlock. A dead letter that exists
 * already has died again: a resolved one is reopened, a discarded one only if its switch sends the call again, and one
 * that is being replayed keeps its mark. A message of an unverified sender only adds to the deaths: it reopens and changes
 * nothing.
 */
export const insertDeadLetters = `
  insert into dead_letters as d (reason, uniqueid, scustomer, machine, submitted_by, verified, responses, body, altered,
    digest, properties, differences, error, deaths, cost, currency, waits_for, source, operation, answer_key, search_keys)
  select reason, uniqueid, scustomer, machine, submitted_by, verified, responses, body, altered, keyed, properties,
    differences, error, deaths, cost, currency, waits_for, source, operation, answer_key, search_keys
  from letter order by reason, keyed
  on conflict (reason, digest) do update set
    deaths = d.deaths + excluded.deaths,
    verified = d.verified or excluded.verified,
    last_dead_at = case when excluded.verified or d.is_open and not d.verified then now() else d.last_dead_at end,
    responses = case when excluded.verified then excluded.responses else d.responses end,
    answer_key = case when excluded.verified then excluded.answer_key else d.answer_key end,
    search_keys = case when excluded.verified then coalesce(d.search_keys, excluded.search_keys) else d.search_keys end,
    differences = case when excluded.verified then excluded.differences else d.differences end,
    error = case when excluded.verified then excluded.error else d.error end,
    properties = case when excluded.verified then excluded.properties else d.properties end,
    waits_for = case when excluded.verified then coalesce(excluded.waits_for, d.waits_for) else d.waits_for end,
    tried_at = case when excluded.waits_for is null then d.tried_at end,
    status = case when excluded.verified and d.status = 'resolved' or ${IS_SENT_AGAIN} then 'dead' else d.status end,
    closed_at = case when excluded.verified and d.status = 'resolved' or ${IS_SENT_AGAIN} then null else d.closed_at end,
    reopened_at = case when ${IS_SENT_AGAIN} then now() else d.reopened_at end
  returning id, search_keys, reopened_at = now() as is_reopened`;

/** What these dead letters, or others with `id` and `search_keys`, are found by. */
export const insertKeysOf = (letters: string) => `
  insert into dead_letter_keys (key, dead_letter) select key, id from ${letters}, unnest(search_keys) as key
  on conflict do nothing`;

interface DeadLetterRow {
  reason: DeadReason;
  uniqueid: string | null;
  scustomer: number | null;
  machine: string | null;
  submitted_by: string | null;
  verified: boolean;
  responses: unknown;
  body: string;
  altered: readonly string[];
  digest: string;
  properties: unknown;
  differences: readonly Difference[] | null;
  error: string | null;
  deaths: number;
  cost: string | null;
  currency: string | null;
  waits_for: string | null;
  source: string | null;
  operation: Operation;
  answer_key: string;
  search_keys: readonly string[];
  is_new: boolean;
}

/** The first parameter that a reply names, '' if it names none. */
export function answerKeyOf([first]: readonly ResponseEntry[]): string {
  return first?.key ?? '';
}

const ERROR_MAX = 1000;
/** Differences are only for display: both calls are stored in full. */
const DIFFERENCE_MAX = 200;

function shortened({ parameter, stored, received }: Difference): Difference {
  const short = (value: Difference['stored']) =>
    typeof value === 'string' ? shorten(clean(value), DIFFERENCE_MAX) : value;
  return { parameter, stored: short(stored), received: short(received) };
}

/** The rows that a batch of outcomes leaves: one per reason and content, with its deaths counted. */
export class DeadLetterRows {
  /** Missing until there is one: few batches leave any. */
  #rows: Map<string, DeadLetterRow> | undefined;

  /** Adds the dead letter of an outcome, if it leaves one. */
  add(outcome: Outcome, validationOnly: boolean, deadLetter: () => DeadLetter | null): void {
    const reason = deadReasonOf(outcome, validationOnly);
    const kept = reason === null ? null : deadLetter();
    if (reason === null || kept === null) return;
    const { submittedBy, searchKeys, isNew = false, ...content } = kept;
    const key = `${reason} ${content.digest}`;
    const before = this.#rows?.get(key);
    if (before !== undefined) {
      before.deaths += 1;
      before.is_new ||= kept.verified && isNew;
    }
    if (before !== undefined && !(kept.verified && !before.verified)) return;
    const responses = responsesTo(outcome);
    this.#rows ??= new Map();
    this.#rows.set(key, {
      ...content,
      reason,
      submitted_by: submittedBy,
      search_keys: searchKeys,
      is_new: isNew,
      responses,
      answer_key: answerKeyOf(responses),
      differences: outcome.kind === 'conflict' ? outcome.differences.map(shortened) : null,
      error: outcome.kind === 'failed' ? cut(clean(outcome.error), ERROR_MAX) : null,
      waits_for: outcome.kind === 'failed' ? (outcome.waitsFor ?? null) : null,
      deaths: before?.deaths ?? 1,
    });
  }

  get rows(): DeadLetterRow[] {
    return [...(this.#rows?.values() ?? [])];
  }
}
