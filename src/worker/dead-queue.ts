import { setTimeout as sleep } from 'node:timers/promises';
import { type Admitted, type Entry, type KeepingRules, letterFor } from './admission.ts';
import type { Delivery } from '../broker/consumer.ts';
import { redeliveriesSince } from '../broker/delivery.ts';
import type { Request } from './envelope.ts';
import type { Settled } from '../domain/held.ts';
import { type Letter, letterOfBytes, minimalLetter } from '../domain/dead-letter.ts';
import type { Outcome } from '../domain/outcome.ts';
import type { Submission } from '../domain/submission.ts';
import { clean, shorten } from '../domain/text.ts';
import { type GivenUpPorts, takeIn, takeInReplay } from './quarantine.ts';
import { describeFailure } from '../store/database.ts';
import { closeTried, markTried, verifyLetter } from '../store/dead-letters/insert.ts';
import type { PrismaClient } from '../store/generated/client.ts';
import { settle as settleOrdinary } from '../store/persist/persist.ts';
import { sqlOf } from '../store/sql.ts';
import { waitFor } from '../store/dead-letters/waiting.ts';
import { blame, isWell } from './queue.ts';
import { backoffMs } from './outage.ts';

export interface DeadQueueOptions {
  prisma: PrismaClient;
  systemCurrency: string;
  keeping: KeepingRules;
  /** Of the queue that calls come from. */
  deliveryLimit: number;
  reachable: () => Promise<boolean>;
  admit: (request: Request) => Admitted | Promise<Admitted>;
  admitReplay: (delivery: Delivery) => Admitted;
  settle: (submissions: readonly Submission[]) => Promise<Settled[]>;
  /** Whether the broker still waits for the delivery's acknowledgement. */
  alive: (delivery: Delivery) => boolean;
  /** Told of a message whose letter the database refuses in every form. */
  onUnkeepable: (description: string) => void;
}

/**
 * As the broker's own record says: in a queue for too long, one too many there, or set aside by a worker because too many
 * passwords of its user waited. A call like any other.
 */
const NEVER_TRIED = new Set(['expired', 'maxlen', 'rejected']);
/** What left this queue so often without being settled may be what ends workers, whatever it is called. */
const ENDED_WORKERS = 3;
const AGAIN_AFTER_MS = 10_000;

/**
 * What is done with a message from the queue of what the broker gave up on. Calls that expired are admitted as calls are,
 * and what no queue wanted becomes a letter: both are settled in batches. Whoever forges the record of a death gains nothing:
 * credentials are looked at all the same. What was delivered too often is taken in one at a time: kept, tried once, answered.
 */
export function deadQueueAdmission(
  options: DeadQueueOptions,
): (delivery: Delivery) => Entry | Promise<Entry> {
  const ports = givenUpPorts(options);
  const inTurn = oneAtATime();

  async function poison(delivery: Delivery, redeliveries: number): Promise<Entry> {
    const message = { request: delivery, reason: 'poison' as const, redeliveries };
    for (;;) {
      const taken = await inTurn(() => takeIn(message, ports));
      if (!('unkeepable' in taken)) return written(taken.outcome, taken.uniqueid);
      options.onUnkeepable(describeFailure(taken.unkeepable));
      // It stays in hand, out of the way of the others.
      await sleep(AGAIN_AFTER_MS, undefined, { ref: false });
      // Nobody hears what becomes of it: the broker gives it out again.
      if (!options.alive(delivery)) return written({ kind: 'superseded' }, null);
    }
  }

  async function replay(delivery: Delivery, redeliveries: number): Promise<Entry> {
    const admitted = options.admitReplay(delivery);
    const reason = delivery.deaths.reason === null ? 'unroutable' : 'poison';
    const settle = async (submission: Submission) => outcomeOf((await options.settle([submission]))[0]);
    const outcome = await inTurn(() =>
      takeInReplay({ request: delivery, reason, redeliveries }, admitted, { ...ports, settle }),
    );
    return written(outcome, admitted.uniqueid);
  }

  return (delivery) => {
    const { deaths } = delivery;
    const redeliveries = redeliveriesSince(deaths, options.deliveryLimit);
    const isReplay = delivery.oneTimeToken !== undefined;
    const isHarmless = redeliveries < ENDED_WORKERS;
    if (isHarmless && NEVER_TRIED.has(deaths.reason ?? '')) {
      if (isReplay) return options.admitReplay(delivery);
      // One password at a time: those of the same user at the front door come first.
      return deaths.reason === 'rejected'
        ? inTurn(async () => options.admit(delivery))
        : options.admit(delivery);
    }
    if (isReplay) return replay(delivery, redeliveries);
    if (isHarmless && deaths.reason === null) return unroutable(delivery, options.keeping);
    return poison(delivery, redeliveries);
  };
}

/** Nobody has looked at who sent it: it may have been meant for others. */
function unroutable(delivery: Delivery, keeping: KeepingRules): Entry {
  const key = shorten(clean(delivery.properties.routingKey), 100);
  const error = `published with the routing key ${JSON.stringify(key)}, which no queue is bound to`;
  const letter = () => letterFor(delivery, keeping, false);
  const outcome: Outcome = { kind: 'failed', reason: 'unroutable', error };
  return { uniqueid: letter().uniqueid, verdict: answer(outcome), letter, cleaned: 0 };
}

/** Everything is written already; the reply is all that is left. */
function written(outcome: Outcome, uniqueid: string | null): Entry {
  return { uniqueid, verdict: answer(outcome), letter: () => null, cleaned: 0 };
}

function answer(outcome: Outcome) {
  return { kind: 'answer' as const, outcome, validationOnly: false };
}

/** A replay that came here is not tried for long: its row keeps it. */
function outcomeOf(settled: Settled | undefined): Outcome {
  if (settled !== undefined && settled.kind !== 'held') return settled;
  const error = settled === undefined ? 'was not settled' : `${settled.row}: ${settled.why}`;
  return { kind: 'failed', reason: 'poison', error };
}

function givenUpPorts(options: DeadQueueOptions): GivenUpPorts {
  const { prisma, systemCurrency, keeping } = options;
  const sql = sqlOf(prisma);
  const keyOf = ({ digest }: Letter) => ({ reason: 'poison' as const, digest });
  return {
    letterOf: (request, reading) => {
      if (reading === 'minimal') return minimalLetter(request.body, request.bytes);
      return reading === 'plain' ? plainLetter(request, keeping) : letterFor(request, keeping, false);
    },
    keep: async (submission) => {
      await settleOrdinary(sql, [submission], systemCurrency);
    },
    markTried: (letter) => markTried(sql, keyOf(letter)),
    admit: async (request) => {
      const admitted = await options.admit(request);
      const letter = admitted.letter();
      if (letter?.verified) await verifyLetter(sql, keyOf(letter));
      return admitted;
    },
    settleAndResolve: (submission, letter) =>
      prisma.$transaction(async (transaction): Promise<Outcome> => {
        const [outcome] = await settleOrdinary(sqlOf(transaction), [submission], systemCurrency);
        if (outcome === undefined) return { kind: 'failed', reason: 'poison', error: 'was not settled' };
        await closeTried(sqlOf(transaction), keyOf(letter), outcome);
        return outcome;
      }),
    waitFor: (letter, row) => waitFor(sql, keyOf(letter), row),
    blame,
    isWell: (error) => isWell(error, options.reachable),
    pause: (_cause, attempt) => sleep(backoffMs(attempt, Math.random)),
  };
}

/** Work that is given out one after the other, whatever becomes of each. */
function oneAtATime(): <Result>(work: () => Promise<Result>) => Promise<Result> {
  let last: Promise<unknown> = Promise.resolve();
  return (work) => {
    const done = last.then(work);
    last = done.catch(() => undefined);
    return done;
  };
}

/** Kept as bytes alone where reading it may be what ends workers. */
function plainLetter(request: Request, { keptBodyBytes }: KeepingRules): Letter {
  return letterOfBytes(request, {}, request.properties, keptBodyBytes);
}
