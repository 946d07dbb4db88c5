import { setTimeout as sleep } from 'node:timers/promises';
import { type Admitted, type KeepingRules, letterFor } from '../admission.ts';
import type { Delivery } from '../broker/consumer.ts';
import { redeliveriesSince } from '../broker/delivery.ts';
import type { Request } from '../broker/envelope.ts';
import { type Letter, letterOfBytes } from '../domain/letter.ts';
import type { Outcome } from '../domain/outcome.ts';
import type { Submission } from '../domain/submission.ts';
import { takeIn, takeInReplay } from '../given-up.ts';
import { describeFailure } from '../store/database.ts';
import { markTried, resolveLetter } from '../store/dead-letters.ts';
import type { PrismaClient } from '../store/generated/client.ts';
import { settle as settleOrdinary } from '../store/settle.ts';
import { sqlOf } from '../store/sql.ts';
import { blame } from './intake.ts';
import { backoffMs } from './outage.ts';

export interface DeadQueueOptions {
  prisma: PrismaClient;
  systemCurrency: string;
  keeping: KeepingRules;
  /** Of the queue that calls come from. */
  deliveryLimit: number;
  admit: (request: Request) => Admitted | Promise<Admitted>;
  admitReplay: (delivery: Delivery) => Admitted;
  settle: (submissions: readonly Submission[]) => Promise<Outcome[]>;
}

/** What is done with a message from the queue of what the broker gave up on: kept, tried once, answered. */
export function deadQueueAdmission(options: DeadQueueOptions): (delivery: Delivery) => Promise<Admitted> {
  const { prisma, systemCurrency } = options;
  const sql = sqlOf(prisma);
  const letterOf = (request: Request, reading: 'parsed' | 'plain') =>
    reading === 'plain' ? plainLetter(request, options.keeping) : letterFor(request, options.keeping, false);
  const ports = {
    letterOf,
    keep: async (submission: Submission) => {
      await settleOrdinary(sql, [submission], systemCurrency);
    },
    markTried: (letter: Letter) => markTried(sql, { reason: 'poison', digest: letter.digest }),
    admit: options.admit,
    settleAndResolve: (submission: Submission, letter: Letter) =>
      prisma.$transaction(async (transaction): Promise<Outcome> => {
        const [outcome] = await settleOrdinary(sqlOf(transaction), [submission], systemCurrency);
        await resolveLetter(sqlOf(transaction), { reason: 'poison', digest: letter.digest });
        return outcome ?? { kind: 'failed', reason: 'poison', error: 'was not settled' };
      }),
    blame,
    describe: describeFailure,
    pause: (_cause: unknown, attempt: number) => sleep(backoffMs(attempt, Math.random)),
  };
  const settle = async (submission: Submission) => {
    const [outcome] = await options.settle([submission]);
    return outcome ?? { kind: 'failed', reason: 'poison', error: 'was not settled' };
  };
  return async (delivery) => {
    const redeliveries = redeliveriesSince(delivery.deaths, options.deliveryLimit);
    const message = { request: delivery, deadLettered: delivery.deaths.deadLettered, redeliveries };
    if (delivery.oneTimeToken !== undefined) {
      const replay = options.admitReplay(delivery);
      const outcome = await takeInReplay(message, replay, { ...ports, settle });
      return { ...replay, verdict: { kind: 'answer', outcome, validationOnly: false } };
    }
    const { outcome, uniqueid } = await takeIn(message, ports);
    const letter = () => letterOf(delivery, 'plain');
    return { uniqueid, verdict: { kind: 'answer', outcome, validationOnly: false }, letter, cleaned: 0 };
  };
}

/** Everything is written by the time these submissions come to be settled; their outcomes are all that is left. */
export function outcomesOf(submissions: readonly Submission[]): Promise<Outcome[]> {
  return Promise.resolve(
    submissions.flatMap(({ verdict }) => (verdict.kind === 'answer' ? [verdict.outcome] : [])),
  );
}

/** Kept as bytes alone where reading it may be what ends workers. */
function plainLetter(request: Request, { keptBodyBytes }: KeepingRules): Letter {
  return letterOfBytes(request, {}, request.properties, keptBodyBytes);
}
