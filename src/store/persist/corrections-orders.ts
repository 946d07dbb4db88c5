import type { CorrectingOperation } from '../../domain/correction.ts';
import type { PersistResult } from '../../domain/held.ts';
import type { Outcome } from '../../domain/outcome.ts';
import { type ResponseEntry, responsesTo } from '../../domain/reply.ts';
import { asDecided, type OrderToken, type Submission } from '../../domain/submission.ts';
import { activityOf } from '../activity.ts';
import { isKnownEntry } from '../dead-letters/known.ts';
import { type Sql, statement } from '../sql.ts';
import { type PersistContext, persistUnlessHeld } from './persist.ts';
import { learn } from './replays.ts';

export type OrderSubmission = Submission & { order: OrderToken };

export function isOrder(submission: Submission): submission is OrderSubmission {
  return submission.order !== undefined;
}

/**
 * Books a correction that an operator has ordered, within a transaction: claims the order, books in the operator's name, and
 * writes into the order what was answered, all or nothing. A second copy of its message is answered as the first was. No dead
 * letter is kept but of a forged one: the order itself says what became of it.
 */
export async function persistOrder(
  sql: Sql,
  submission: OrderSubmission,
  context: PersistContext,
): Promise<PersistResult> {
  const order = await claim(sql, submission.order);
  if (order === undefined)
    return await persistOne(sql, asDecided({ kind: 'unauthenticated' }, submission), context);
  if (order.responses !== null && !isBooked(order.responses)) return refusalOnRecord(order.responses);
  const own = inNameOf(order, submission);
  const result = await persistOne(sql, own, context);
  learn(submission, own);
  if (result.kind === 'held') return result;
  const outcome = told(result);
  if (order.responses === null) {
    const responses = responsesTo(outcome);
    await sql(RECORD, [submission.order.id, JSON.stringify(responses), isBooked(responses)]);
    if (order.deadLetter !== null && isBooked(responses))
      await sql(RESOLVE, [order.deadLetter, submission.order.id, order.operator]);
  }
  return outcome;
}

async function persistOne(sql: Sql, submission: Submission, context: PersistContext): Promise<PersistResult> {
  const [result] = await persistUnlessHeld(sql, [submission], context);
  if (result === undefined) throw new Error('a message was not persisted');
  return result;
}

interface ClaimedOrder {
  /** The entry in force when it was asked for. */
  follows: string;
  operator: string;
  why: string;
  deadLetter: string | null;
  /** Null until it was answered. */
  responses: ResponseEntry[] | null;
}

/** By primary key. The one-time token was made for the body, and the order says what the body is of. */
const CLAIM = statement(
  'persist.claim-order',
  `select follows, operator, why, dead_letter::text as "deadLetter", responses from correction_orders
   where id = $1 and seal = decode($2, 'hex') and operation = $3`,
);

async function claim(
  sql: Sql,
  { id, tokenHash, operation }: { id: string; tokenHash: string; operation: CorrectingOperation },
): Promise<ClaimedOrder | undefined> {
  const [order] = await sql<ClaimedOrder>(CLAIM, [id, tokenHash, operation]);
  return order;
}

/** As the operator's own; no dead letter keeps it. */
function inNameOf({ operator, why, follows }: ClaimedOrder, submission: OrderSubmission): Submission {
  const deadLetter = () => null;
  if (submission.kind !== 'correction') return { ...submission, deadLetter };
  const { correction } = submission;
  return {
    ...submission,
    correction: { ...correction, bookedBy: operator, why, expected: follows, confinement: null },
    deadLetter,
  };
}

/** What could not be processed is not kept, whatever the reply to a switch would say: it can be ordered again. */
function told(outcome: Outcome): Outcome {
  if (outcome.kind !== 'failed') return outcome;
  return { kind: 'rejected', errors: [{ key: '', message: `could not be booked: ${outcome.error}` }] };
}

function isBooked(responses: readonly ResponseEntry[]): boolean {
  return responses.every(({ code }) => code.startsWith('2'));
}

function refusalOnRecord(responses: readonly ResponseEntry[]): Outcome {
  const isUnknown = responses.some(({ code }) => code === '404');
  return isUnknown ? { kind: 'unknown call' } : { kind: 'rejected', errors: responses };
}

/** What was booked is an act of the operator; what was refused is known from the order alone. */
const booked = (act: 'call voided' | 'call corrected', operation: CorrectingOperation) =>
  activityOf(
    act,
    {
      who: 'operator',
      program: 'program',
      detail: `jsonb_strip_nulls(jsonb_build_object('uniqueid', uniqueid, 'entry', id, 'dead_letter', dead_letter, 'why', why))`,
    },
    `from answered where $3::boolean and operation = '${operation}'`,
  );

const RECORD = statement(
  'persist.answer-order',
  `with answered as (
     update correction_orders set responses = $2::jsonb, answered_at = clock_timestamp()
     where id = $1 and responses is null returning id, operation, uniqueid, operator, why, program, dead_letter),
   voided as (${booked('call voided', 'void')}),
   corrected as (${booked('call corrected', 'update')})
   select settle_assert(exists (select from answered), 'an order was answered meanwhile') as held`,
);

/** The conflict that the correction decides: resolved where it still waits, and only if the entry is booked. */
const RESOLVE = statement(
  'persist.resolve-ordered',
  `with booked as materialized (select ${isKnownEntry('$2::text')} as holds),
   resolved as (
     update dead_letters d set status = 'resolved', closed_at = now() from booked
     where d.id = $1::bigint and d.status = 'dead' and booked.holds returning d.id),
   told as (
     insert into dead_letter_events (dead_letter, event, by, detail)
     select id, 'resolved', $3::text, jsonb_build_object('code', '204', 'correction', $2::text) from resolved)
   select settle_assert(holds, 'the correction of a dead letter is not booked') as held from booked`,
);
