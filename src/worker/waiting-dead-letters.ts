import { setTimeout as sleep } from 'node:timers/promises';
import { correctedBody, isQuestion } from '../domain/kept.ts';
import type { Outcome } from '../domain/outcome.ts';
import type { Submission } from '../domain/submission.ts';
import type { Logger } from '../ops/logger.ts';
import type { Database } from '../store/database.ts';
import {
  beginTrying,
  goOnWaiting,
  resolveWaiting,
  type WaitingDeadLetter,
  waitingDeadLetters,
} from '../store/dead-letters/waiting.ts';
import { classifyFailure, describeFailure } from '../store/failures.ts';
import { persist } from '../store/persist/persist.ts';
import { admitKept, type ReadingRules } from './admission.ts';

const TRANSACTION_TIMEOUT_MS = 5000;

export interface WaitingDeadLettersOptions {
  database: Pick<Database, 'sql' | 'transaction'>;
  rules: ReadingRules;
  everyMs: number;
  log: Logger;
}

/**
 * Tries the calls again, once, that became dead letters because somebody held their row for too long. Any worker does it, and
 * a worker that has gone leaves nothing undone. Never rejects.
 */
export function tryWaitingDeadLetters(options: WaitingDeadLettersOptions): { stop: () => Promise<void> } {
  const ended = new AbortController();
  const work = async () => {
    while (!ended.signal.aborted) {
      try {
        // What got through shows that its row is free: the next ones need not wait.
        while (!ended.signal.aborted && (await tryEach(options)) > 0);
      } catch (error) {
        options.log.debug({}, `letters that wait were not looked at: ${describeFailure(error)}`);
      }
      await sleep(options.everyMs, undefined, { signal: ended.signal, ref: false }).catch(() => undefined);
    }
  };
  const working = work();
  return {
    stop: async () => {
      ended.abort();
      await working;
    },
  };
}

/** One dead letter of each row. Returns how many are stored now. */
async function tryEach(options: WaitingDeadLettersOptions): Promise<number> {
  const { sql } = options.database;
  let stored = 0;
  for (const deadLetter of await waitingDeadLetters(sql)) {
    if (!(await beginTrying(sql, deadLetter.id))) continue;
    const { id, row } = deadLetter;
    // Its sender only asked: nobody but an operator makes a call of it.
    if (isQuestion(deadLetter.body)) continue;
    try {
      const outcome = await tryOnce(deadLetter, options);
      if (outcome.kind === 'accepted' || outcome.kind === 'duplicate') stored += 1;
      options.log.info(
        { deadLetter: id, row, outcome: outcome.kind },
        'a dead letter was tried again: its row is free',
      );
    } catch (error) {
      // What holds the row is none of the call's fault; anything else it was tried for, once.
      if (classifyFailure(error) !== 'message') await goOnWaiting(sql, id);
      options.log.debug(
        { deadLetter: id, row },
        `a dead letter was tried in vain: ${describeFailure(error)}`,
      );
    }
  }
  return stored;
}

/** Stores the call and resolves its dead letter, both or neither. */
function tryOnce(
  deadLetter: WaitingDeadLetter,
  { database, rules }: WaitingDeadLettersOptions,
): Promise<Outcome> {
  const { body, contentType } = correctedBody({ body: deadLetter.body, contentType: null }, {});
  const { verdict } = admitKept(Buffer.from(body), contentType, rules);
  if (verdict.kind === 'answer') return Promise.resolve(verdict.outcome);
  const call = { ...verdict.call, submittedBy: deadLetter.submittedBy };
  const submission: Submission = { verdict: { kind: 'call', call }, deadLetter: () => null };
  return database.transaction(
    async (sql): Promise<Outcome> => {
      const [outcome] = await persist(sql, [submission], rules.systemCurrency);
      if (outcome?.kind === 'accepted' || outcome?.kind === 'duplicate')
        await resolveWaiting(sql, deadLetter.id);
      return outcome ?? { kind: 'failed', reason: 'failed', error: 'was not settled' };
    },
    { timeoutMs: TRANSACTION_TIMEOUT_MS },
  );
}
