import { setTimeout as sleep } from 'node:timers/promises';
import type { Delivery } from '../broker/consumer.ts';
import { redeliveriesSince } from '../broker/delivery.ts';
import type { BillingRules } from '../domain/charge.ts';
import { type DeadLetter, deadLetterOfBytes, minimalDeadLetter } from '../domain/dead-letter.ts';
import type { PersistResult } from '../domain/held.ts';
import type { Outcome } from '../domain/outcome.ts';
import { asDecided, type Submission } from '../domain/submission.ts';
import { clean, shorten } from '../domain/text.ts';
import { backoffMs } from '../retry.ts';
import { type Database, describeFailure } from '../store/database.ts';
import { closeTried, markTried, verifyDeadLetter } from '../store/dead-letters/tried.ts';
import { waitFor } from '../store/dead-letters/waiting.ts';
import { persist as persistOrdinary } from '../store/persist/persist.ts';
import type { Admitted } from './admission.ts';
import { type QuarantinePorts, quarantineMessage, quarantineReplay } from './quarantine.ts';
import { isWell } from './queue-worker.ts';
import { deadLetterFor, type KeepingRules, type Request } from './request.ts';

export interface DeadQueueOptions {
  database: Pick<Database, 'sql' | 'transaction'>;
  billing: BillingRules;
  keeping: KeepingRules;
  /** Of the queue that calls come from. */
  deliveryLimit: number;
  reachable: () => Promise<boolean>;
  admit: (request: Request) => Admitted | Promise<Admitted>;
  admitReplay: (delivery: Delivery) => Admitted;
  persist: (submissions: readonly Submission[]) => Promise<PersistResult[]>;
  /** Whether the broker still waits for the delivery's acknowledgement. */
  isLive: (delivery: Delivery) => boolean;
  /** Told of a message whose dead letter the database refuses in every form. */
  onUnkeepable: (description: string) => void;
}

/**
 * Reasons of death that are no fault of the message: it expired, the queue was full (`maxlen`), or a worker set it aside
 * (`rejected`).
 */
const HARMLESS_DEATHS = new Set(['expired', 'maxlen', 'rejected']);
/** A message that left this queue so often without being acknowledged may be what ends workers, whatever its death says. */
const ENDED_WORKERS = 3;
const AGAIN_AFTER_MS = 10_000;
const TRANSACTION_TIMEOUT_MS = 5000;

/**
 * Admits messages that the broker dead-lettered, by its record of their death. Calls that expired are admitted as calls
 * are, and what no queue wanted becomes a dead letter: both are persisted in batches. Messages that were delivered too
 * often are quarantined, one at a time: kept, tried once, answered. A forged record of a death gains nothing, because
 * credentials are checked in any case.
 */
export function createDeadQueueAdmission(
  options: DeadQueueOptions,
): (delivery: Delivery) => Submission | Promise<Submission> {
  const ports = quarantinePorts(options);
  const inTurn = oneAtATime();

  async function admitPoison(delivery: Delivery, redeliveries: number): Promise<Submission> {
    const message = { request: delivery, reason: 'poison' as const, redeliveries };
    for (;;) {
      const result = await inTurn(() => quarantineMessage(message, ports));
      if (!('unkeepable' in result)) return replyOnly(result.outcome, result.uniqueid);
      options.onUnkeepable(describeFailure(result.unkeepable));
      // It stays in hand, out of the way of the others.
      await sleep(AGAIN_AFTER_MS, undefined, { ref: false });
      // Nobody hears what became of it: the broker delivers it again.
      if (!options.isLive(delivery)) return replyOnly({ kind: 'superseded' }, null);
    }
  }

  async function admitDeadReplay(delivery: Delivery, redeliveries: number): Promise<Submission> {
    const admitted = options.admitReplay(delivery);
    const reason = delivery.deaths.reason === null ? 'unroutable' : 'poison';
    const persist = async (submission: Submission) => outcomeOf((await options.persist([submission]))[0]);
    const outcome = await inTurn(() =>
      quarantineReplay({ request: delivery, reason, redeliveries }, admitted, { ...ports, persist }),
    );
    return replyOnly(outcome, admitted.uniqueid);
  }

  return (delivery) => {
    const { deaths } = delivery;
    const redeliveries = redeliveriesSince(deaths, options.deliveryLimit);
    const isReplay = delivery.replayHeader !== undefined;
    const isHarmless = redeliveries < ENDED_WORKERS;
    if (isHarmless && HARMLESS_DEATHS.has(deaths.reason ?? '')) {
      if (isReplay) return options.admitReplay(delivery);
      // One password at a time: those that come from switches now go first.
      return deaths.reason === 'rejected'
        ? inTurn(async () => options.admit(delivery))
        : options.admit(delivery);
    }
    if (isReplay) return admitDeadReplay(delivery, redeliveries);
    if (isHarmless && deaths.reason === null) return admitUnroutable(delivery, options.keeping);
    return admitPoison(delivery, redeliveries);
  };
}

/** Its credentials are not checked: it may have been meant for others. */
function admitUnroutable(delivery: Delivery, keeping: KeepingRules): Submission {
  const key = shorten(clean(delivery.properties.routingKey), 100);
  const error = `published with the routing key ${JSON.stringify(key)}, which no queue is bound to`;
  const deadLetter = () => deadLetterFor(delivery, keeping, false);
  const outcome: Outcome = { kind: 'failed', reason: 'unroutable', error };
  return asDecided(outcome, { uniqueid: deadLetter().uniqueid, deadLetter });
}

/** Everything is written already; only the reply is left. */
function replyOnly(outcome: Outcome, uniqueid: string | null): Submission {
  return asDecided(outcome, { uniqueid, deadLetter: () => null });
}

/** A replay is not tried for long here, because its row keeps it. */
function outcomeOf(persisted: PersistResult | undefined): Outcome {
  if (persisted !== undefined && persisted.kind !== 'held') return persisted;
  const error = persisted === undefined ? 'was not persisted' : `${persisted.row}: ${persisted.why}`;
  return { kind: 'failed', reason: 'poison', error };
}

function quarantinePorts(options: DeadQueueOptions): QuarantinePorts {
  const { database, billing, keeping } = options;
  const { sql } = database;
  const keyOf = ({ digest }: DeadLetter) => ({ reason: 'poison' as const, digest });
  return {
    deadLetterOf: (request, reading) => {
      if (reading === 'minimal') return minimalDeadLetter(request.body, request.bytes);
      return reading === 'plain' ? plainDeadLetter(request, keeping) : deadLetterFor(request, keeping, false);
    },
    keep: async (submission) => {
      await persistOrdinary(sql, [submission], billing);
    },
    markTried: (deadLetter) => markTried(sql, keyOf(deadLetter)),
    admit: async (request) => {
      const admitted = await options.admit(request);
      const deadLetter = admitted.deadLetter();
      if (deadLetter?.verified) await verifyDeadLetter(sql, keyOf(deadLetter));
      return admitted;
    },
    persistAndClose: (submission, deadLetter) =>
      database.transaction(
        async (within): Promise<Outcome> => {
          const [outcome] = await persistOrdinary(within, [submission], billing);
          if (outcome === undefined) return { kind: 'failed', reason: 'poison', error: 'was not persisted' };
          await closeTried(within, keyOf(deadLetter), outcome);
          return outcome;
        },
        { timeoutMs: TRANSACTION_TIMEOUT_MS },
      ),
    waitFor: (deadLetter, row) => waitFor(sql, keyOf(deadLetter), row),
    isWell: (error) => isWell(error, options.reachable),
    pause: (attempt) => sleep(backoffMs(attempt)),
  };
}

/** Runs one piece of work after the other, whatever becomes of each. */
function oneAtATime(): <Result>(work: () => Promise<Result>) => Promise<Result> {
  let last: Promise<unknown> = Promise.resolve();
  return (work) => {
    const done = last.then(work);
    last = done.catch(() => undefined);
    return done;
  };
}

/** Of bytes alone: parsing the body may be what ends workers. */
function plainDeadLetter(request: Request, { keptBodyBytes }: KeepingRules): DeadLetter {
  return deadLetterOfBytes(request, {}, request.properties, keptBodyBytes);
}
