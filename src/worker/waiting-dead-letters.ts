import { billedMessagesOf } from '../domain/billed-message.ts';
import type { BillingRules } from '../domain/charge.ts';
import { isValidationRequest } from '../domain/kept.ts';
import { isStored, type Outcome } from '../domain/outcome.ts';
import type { Submission } from '../domain/submission.ts';
import type { Logger } from '../ops/logger.ts';
import { SampledLines } from '../ops/sampled-lines.ts';
import { sleep } from '../retry.ts';
import type { Database } from '../store/database.ts';
import { type Proof, proofOf } from '../store/dead-letters/known.ts';
import {
  beginTrying,
  goOnWaiting,
  resolveWaiting,
  type WaitingDeadLetter,
  waitingDeadLetters,
} from '../store/dead-letters/waiting.ts';
import { classifyFailure, describeFailure } from '../store/failures.ts';
import { persist } from '../store/persist/persist.ts';
import type { Admitted } from './admission.ts';
import type { BilledExchange } from './billed.ts';
import type { Feeds } from './feeds.ts';
import { admitKept, type ReplayRules } from './replay-admission.ts';

const TRANSACTION_TIMEOUT_MS = 5000;

export interface WaitingDeadLettersOptions {
  database: Pick<Database, 'sql' | 'transaction'>;
  rules: ReplayRules & { feeds: Pick<Feeds, 'all'> };
  billing: BillingRules;
  /** Tells others what calls were charged; missing where nobody is to be told. */
  billed: Pick<BilledExchange, 'publish' | 'isTaking'> | undefined;
  everyMs: number;
  log: Logger;
}

/**
 * Tries calls again, once, that became dead letters because somebody held their row for too long. Any worker does it, and
 * a worker that stops leaves nothing undone. Never rejects.
 */
export function tryWaitingDeadLetters(options: WaitingDeadLettersOptions): { stop: () => Promise<void> } {
  const ended = new AbortController();
  const retried = new SampledLines(options.log, 'info', 'retried a dead letter whose row is free');
  const work = async () => {
    while (!ended.signal.aborted) {
      try {
        // What got through shows that its row is free: the next ones need not wait.
        while (!ended.signal.aborted && (await tryEach(options, retried)) > 0);
      } catch (error) {
        options.log.debug({}, `waiting dead letters were not read: ${describeFailure(error)}`);
      }
      await sleep(options.everyMs, ended.signal);
    }
  };
  const working = work();
  return {
    stop: async () => {
      ended.abort();
      await working;
      retried.flush();
    },
  };
}

/** One dead letter of each row. Returns how many are stored now. */
async function tryEach(options: WaitingDeadLettersOptions, retried: SampledLines): Promise<number> {
  const { sql } = options.database;
  let stored = 0;
  if (options.billed?.isTaking === false) return stored;
  const sources = options.rules.feeds.all.map(({ name }) => name);
  for (const deadLetter of await waitingDeadLetters(sql, sources)) {
    if (!(await beginTrying(sql, deadLetter.id))) continue;
    const { id, row } = deadLetter;
    // Its sender asked only for validation: only an operator may make a call of it.
    if (isQuestion(deadLetter)) continue;
    try {
      const { outcome, proof } = await tryOnce(deadLetter, options);
      if (isStored(outcome) && (await tell(outcome, options.billed))) {
        stored += 1;
        if (options.billed !== undefined) await resolveWaiting(sql, id, proof);
      }
      retried.write({ kind: { outcome: outcome.kind }, fields: () => ({ deadLetter: id, row }) });
    } catch (error) {
      // Whoever holds the row is not the call's fault. For any other failure it has had its one try.
      if (classifyFailure(error) !== 'message') await goOnWaiting(sql, id);
      options.log.debug(
        { deadLetter: id, row },
        `a dead letter could not be stored: ${describeFailure(error)}`,
      );
    }
  }
  return stored;
}

interface Tried {
  outcome: Outcome;
  /** That it is stored or booked. */
  proof: Proof;
}

/**
 * Stores the call and resolves its dead letter, both or neither. Where others are to be told, the dead letter waits on until
 * they are: a worker that ends before that leaves it to the next one.
 */
async function tryOnce(
  deadLetter: WaitingDeadLetter,
  { database, rules, billing, billed }: WaitingDeadLettersOptions,
): Promise<Tried> {
  const { id, submittedBy } = deadLetter;
  const admitted = admitKept({ ...deadLetter, contentType: null, edits: {} }, rules);
  const proof = proofOf(admitted);
  if (admitted.kind === 'decided') return { outcome: admitted.outcome, proof };
  const submission = inNameOf(submittedBy, admitted);
  return await database.transaction(
    async (sql): Promise<Tried> => {
      const [outcome] = await persist(sql, [submission], billing);
      if (outcome === undefined) throw new Error('persisting one call had no outcome');
      if (isStored(outcome))
        await (billed === undefined ? resolveWaiting(sql, id, proof) : goOnWaiting(sql, id));
      return { outcome, proof };
    },
    { timeoutMs: TRANSACTION_TIMEOUT_MS },
  );
}

/** A record never asks, and a correction cannot. */
function isQuestion({ source, operation, body }: WaitingDeadLetter): boolean {
  return source === null && operation === 'create' && isValidationRequest(body);
}

/** Its dead letter is there already, and has its sender. */
function inNameOf(sender: string, admitted: Exclude<Admitted, { kind: 'decided' }>): Submission {
  const deadLetter = () => null;
  if (admitted.kind === 'correction')
    return { ...admitted, correction: { ...admitted.correction, bookedBy: sender }, deadLetter };
  return { ...admitted, call: { ...admitted.call, submittedBy: sender }, deadLetter };
}

/** False if the others could not be told. */
async function tell(outcome: Outcome, billed: WaitingDeadLettersOptions['billed']): Promise<boolean> {
  const messages = billed === undefined ? [] : billedMessagesOf(outcome);
  if (billed === undefined || messages.length === 0) return true;
  return (await billed.publish(messages)).every((taking) => taking === 'confirmed');
}
