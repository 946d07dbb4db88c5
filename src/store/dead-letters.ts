import type { Difference } from '../domain/cdr.ts';
import type { Letter } from '../domain/letter.ts';
import { type DeadReason, deadReasonOf, type Outcome } from '../domain/outcome.ts';
import { responsesTo } from '../domain/reply.ts';
import type { Sql } from './sql.ts';

/** For json_to_recordset: the dead letters of a batch. */
export const letterRecord = `reason text, uniqueid text, scustomer int, machine text, submitted_by text,
  responses jsonb, body text, digest text, properties jsonb, differences jsonb, error text, deaths int, cost numeric,
  currency char(3)`;

/**
 * Inserts the letters of a batch, ordered by their key so that two workers never wait for each other in a
 * circle. One that is there already has died again: what an operator resolved is open again, what was
 * discarded stays so, and a replay under way keeps its mark.
 */
export const insertLetters = `
  insert into dead_letters (reason, uniqueid, scustomer, machine, submitted_by, responses, body, digest, properties,
    differences, error, deaths, cost, currency)
  select reason, uniqueid, scustomer, machine, submitted_by, responses, body, decode(digest, 'hex'), properties,
    differences, error, deaths, cost, currency
  from letter order by reason, digest
  on conflict (reason, digest) do update set
    deaths = dead_letters.deaths + excluded.deaths,
    last_dead_at = now(),
    responses = excluded.responses,
    differences = excluded.differences,
    error = excluded.error,
    properties = excluded.properties,
    status = case dead_letters.status when 'resolved' then 'dead' else dead_letters.status end,
    closed_at = case dead_letters.status when 'resolved' then null else dead_letters.closed_at end
  returning id`;

interface LetterRow {
  reason: DeadReason;
  uniqueid: string | null;
  scustomer: number | null;
  machine: string | null;
  submitted_by: string | null;
  responses: unknown;
  body: string;
  digest: string;
  properties: unknown;
  differences: readonly Difference[] | null;
  error: string | null;
  deaths: number;
  cost: string | null;
  currency: string | null;
}

/** The rows that a batch of outcomes leaves behind: one for the same reason and content, its deaths counted. */
export class LetterRows {
  readonly #rows = new Map<string, LetterRow>();

  /** Adds the letter of an outcome, if that outcome leaves one. */
  add(outcome: Outcome, validationOnly: boolean, letter: () => Letter | null): void {
    const reason = deadReasonOf(outcome, validationOnly);
    const kept = reason === null ? null : letter();
    if (reason === null || kept === null) return;
    const { submittedBy, ...content } = kept;
    const key = `${reason} ${content.digest}`;
    const deaths = (this.#rows.get(key)?.deaths ?? 0) + 1;
    this.#rows.set(key, {
      ...content,
      reason,
      submitted_by: submittedBy,
      responses: responsesTo(outcome),
      differences: outcome.kind === 'conflict' ? outcome.differences : null,
      error: outcome.kind === 'failed' ? outcome.error : null,
      deaths,
    });
  }

  get rows(): LetterRow[] {
    return [...this.#rows.values()];
  }
}

/** Which row of `dead_letters`: the same reason and content are one row. */
export interface LetterKey {
  reason: DeadReason;
  /** SHA-256 of the body without password, hex. */
  digest: string;
}

const MARK_TRIED = `
  update dead_letters set tried_at = now()
  where reason = $1 and digest = decode($2, 'hex') and tried_at is null returning id`;

/** Marks a letter as tried, before the trying. False if it was tried before: that may be what crashed the worker. */
export async function markTried(sql: Sql, { reason, digest }: LetterKey): Promise<boolean> {
  return (await sql(MARK_TRIED, [reason, digest])).length > 0;
}

const RESOLVE = `
  update dead_letters set status = 'resolved', closed_at = now()
  where reason = $1 and digest = decode($2, 'hex') and status = 'dead' returning id`;

/** The message of this letter is accounted for otherwise. */
export async function resolveLetter(sql: Sql, { reason, digest }: LetterKey): Promise<void> {
  await sql(RESOLVE, [reason, digest]);
}
