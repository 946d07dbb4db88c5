import { setTimeout as sleep } from 'node:timers/promises';
import { admitKept, type ReadingRules } from './admission.ts';
import { correctedBody, isQuestion } from '../domain/kept.ts';
import type { Outcome } from '../domain/outcome.ts';
import type { Submission } from '../domain/submission.ts';
import type { Logger } from '../ops/logger.ts';
import { classifyFailure, describeFailure } from '../store/failures.ts';
import type { PrismaClient } from '../store/generated/client.ts';
import { settle } from '../store/persist/persist.ts';
import { sqlOf } from '../store/sql.ts';
import {
  beginTrying,
  goOnWaiting,
  resolveWaiting,
  type WaitingLetter,
  waitingLetters,
} from '../store/dead-letters/waiting.ts';

export interface WaitingLettersOptions {
  prisma: PrismaClient;
  rules: ReadingRules;
  everyMs: number;
  log: Logger;
}

/**
 * Tries the calls again, once, that became dead letters because somebody held their row for too long. Any worker does it, and
 * a worker that has gone leaves nothing undone. Never rejects.
 */
export function tryWaitingLetters(options: WaitingLettersOptions): { stop: () => Promise<void> } {
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

/** One letter of each row. Returns how many are stored now. */
async function tryEach(options: WaitingLettersOptions): Promise<number> {
  const sql = sqlOf(options.prisma);
  let stored = 0;
  for (const letter of await waitingLetters(sql)) {
    if (!(await beginTrying(sql, letter.id))) continue;
    const { id, row } = letter;
    // Its sender only asked: nobody but an operator makes a call of it.
    if (isQuestion(letter.body)) continue;
    try {
      const outcome = await tryOnce(letter, options);
      if (outcome.kind === 'accepted' || outcome.kind === 'duplicate') stored += 1;
      options.log.info(
        { letter: id, row, outcome: outcome.kind },
        'a dead letter was tried again: its row is free',
      );
    } catch (error) {
      // What holds the row is none of the call's fault; anything else it was tried for, once.
      if (classifyFailure(error) !== 'isolate') await goOnWaiting(sql, id);
      options.log.debug({ letter: id, row }, `a dead letter was tried in vain: ${describeFailure(error)}`);
    }
  }
  return stored;
}

/** Stores the call and resolves its letter, both or neither. */
function tryOnce(letter: WaitingLetter, { prisma, rules }: WaitingLettersOptions): Promise<Outcome> {
  const { body, contentType } = correctedBody({ body: letter.body, contentType: null }, {});
  const { verdict } = admitKept(Buffer.from(body), contentType, rules);
  if (verdict.kind === 'answer') return Promise.resolve(verdict.outcome);
  const call = { ...verdict.call, submittedBy: letter.submittedBy };
  const submission: Submission = { verdict: { kind: 'call', call }, letter: () => null };
  return prisma.$transaction(async (transaction): Promise<Outcome> => {
    const within = sqlOf(transaction);
    const [outcome] = await settle(within, [submission], rules.systemCurrency);
    if (outcome?.kind === 'accepted' || outcome?.kind === 'duplicate')
      await resolveWaiting(within, letter.id);
    return outcome ?? { kind: 'failed', reason: 'failed', error: 'was not settled' };
  });
}
