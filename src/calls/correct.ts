import type { BillingRules } from '../domain/charge.ts';
import { type Correction, correctionFingerprint } from '../domain/correction.ts';
import { validateCorrection } from '../domain/correction-contract.ts';
import type { ResponseEntry } from '../domain/reply.ts';
import { responsesTo } from '../domain/reply.ts';
import { readCustomerNames } from '../store/calls/names.ts';
import type { Order } from '../store/calls/orders.ts';
import type { Database } from '../store/database.ts';
import { isLockTimeout } from '../store/failures.ts';
import { SET_FOR_TRANSACTION } from '../store/persist/attempts.ts';
import { dryRunCorrection, type TriedCorrection } from '../store/persist/corrections.ts';
import { rollingBack } from '../store/persist/dry-run.ts';
import type { CallChange } from './change.ts';
import type { InForce } from './in-force.ts';
import { type Preview, previewMark, previewOf } from './preview.ts';

/** What a correction would become. */
export type Tried =
  | {
      kind: 'would be booked';
      preview: Preview;
      /** Stands for what is shown. */
      mark: string;
      /** Of the customers in it, as far as they exist. */
      names: ReadonlyMap<number, string>;
    }
  | { kind: 'refused'; responses: readonly ResponseEntry[] };

const TIMEOUT_MS = 30_000;
const LOCK_WAIT = '2s';
const NOBODY_IGNORED: ReadonlySet<string> = new Set();

/**
 * Books a correction in a transaction that is rolled back, and says what it moves. Throws what the database throws.
 *
 * @param before the call as it was shown: where it is otherwise by now, the correction is refused
 */
export async function tryCorrection(
  database: Pick<Database, 'sql' | 'transaction'>,
  order: Order,
  change: CallChange,
  before: InForce,
  billing: BillingRules,
): Promise<Tried> {
  const { operation, uniqueid } = order;
  const credentials = { auth_username: order.operator, auth_password: 'none' };
  const fields = { ...credentials, uniqueid, ...change };
  const validation = validateCorrection(operation, fields, NOBODY_IGNORED);
  if (validation.kind === 'invalid')
    return {
      kind: 'refused',
      responses: responsesTo({ kind: 'rejected', errors: validation.errors }),
    };
  const { parameters } = validation;
  const correction: Correction = {
    ...parameters,
    operation,
    id: order.id,
    fingerprint: correctionFingerprint(operation, parameters),
    bookedBy: order.operator,
    why: order.why,
    expected: order.follows,
  };
  const tried = await tryOut(database, correction, billing);
  if (tried === 'locked')
    return refused('its customer or invoice is locked by somebody else: try again later');
  const { outcome, entries } = tried;
  if (outcome.kind === 'held') return refused(`not possible now: ${outcome.why}`);
  if (outcome.kind !== 'booked') return { kind: 'refused', responses: responsesTo(outcome) };
  const preview = previewOf(entries, before);
  const customers = [...preview.balances, ...preview.late].map(({ customer }) => customer);
  return {
    kind: 'would be booked',
    preview,
    mark: previewMark(preview, order.follows),
    names: await readCustomerNames(database.sql, customers),
  };
}

/** Somebody who looks at a page does not wait for a row that another program has locked. */
async function tryOut(
  database: Pick<Database, 'transaction'>,
  correction: Correction,
  billing: BillingRules,
): Promise<TriedCorrection | 'locked'> {
  try {
    return await rollingBack(
      database,
      async (sql) => {
        await sql(SET_FOR_TRANSACTION, ['lock_timeout', LOCK_WAIT]);
        return await dryRunCorrection(sql, correction, billing);
      },
      TIMEOUT_MS,
    );
  } catch (error) {
    if (isLockTimeout(error)) return 'locked';
    throw error;
  }
}

function refused(message: string): Tried {
  return { kind: 'refused', responses: [{ code: '400', key: '', message }] };
}
