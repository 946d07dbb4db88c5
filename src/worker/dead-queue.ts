import { setTimeout as sleep } from 'node:timers/promises';
import type { Delivery } from '../broker/consumer.ts';
import { redeliveriesSince } from '../broker/delivery.ts';
import { type DeadLetter, deadLetterOfBytes, minimalDeadLetter } from '../domain/dead-letter.ts';
import type { PersistResult } from '../domain/held.ts';
import type { Outcome } from '../domain/outcome.ts';
import type { Submission } from '../domain/submission.ts';
import { clean, shorten } from '../domain/text.ts';
import { backoffMs } from '../retry.ts';
import { type Database, describeFailure } from '../store/database.ts';
import { closeTried, markTried, verifyDeadLetter } from '../store/dead-letters/insert.ts';
import { waitFor } from '../store/dead-letters/waiting.ts';
import { persist as persistOrdinary } from '../store/persist/persist.ts';
import { type Admitted, deadLetterFor, type Entry, type KeepingRules } from './admission.ts';
import type { Request } from './envelope.ts';
import { type QuarantinePorts, quarantineMessage, quarantineReplay } from './quarantine.ts';
import { isWell } from './queue.ts';

export interface DeadQueueOptions {
  database: Pick<Database, 'sql' | 'transaction'>;
  systemCurrency: string;
  keeping: KeepingRules;
  /** Of the queue that calls come from. */
  deliveryLimit: number;
  reachable: () => Promise<boolean>;
  admit: (request: Request) => Admitted | Promise<Admitted>;
  admitReplay: (delivery: Delivery) => Admitted;
  persist: (submissions: readonly Submission[]) => Promise<PersistResult[]>;
  /** Whether the broker still waits for the delivery's acknowledgement. */
  alive: (delivery: Delivery) => boolean;
  /** Told of a message whose dead letter the database refuses in every form. */
  onUnkeepable: (description: string) => void;
}

/**
 * As the broker's own record says: in a queue for too long, one too many there, or set aside by a worker because too many
 * passwords of its user waited. A call like any other.
 */
const NEVER_TRIED = new Set(['expired', 'maxlen', 'rejected']);
/** What left this queue so often without being persisted may be what ends workers, whatever it is called. */
const ENDED_WORKERS = 3;
const AGAIN_AFTER_MS = 10_000;
const TRANSACTION_TIMEOUT_MS = 5000;

/**
 * What is done with a message from the queue of what the broker gave up on. Calls that expired are admitted as calls are,
 * and what no queue wanted becomes a dead letter: both are persisted in batches. Whoever forges the record of a death gains nothing:
 * credentials are looked at all the same. What was delivered too often is taken in one at a time: kept, tried once, answered.
 */
export function deadQueueAdmission(
  options: DeadQueueOptions,
): (delivery: Delivery) => Entry | Promise<Entry> {
  const ports = quarantinePorts(options);
  const inTurn = oneAtATime();

  async function poison(delivery: Delivery, redeliveries: number): Promise<Entry> {
    const message = { request: delivery, reason: 'poison' as const, redeliveries };
    for (;;) {
      const taken = await inTurn(() => quarantineMessage(message, ports));
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
    const persist = async (submission: Submission) => outcomeOf((await options.persist([submission]))[0]);
    const outcome = await inTurn(() =>
      quarantineReplay({ request: delivery, reason, redeliveries }, admitted, { ...ports, persist }),
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
      // One password at a time: those of the same user at the switch client come first.
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
  const deadLetter = () => deadLetterFor(delivery, keeping, false);
  const outcome: Outcome = { kind: 'failed', reason: 'unroutable', error };
  return { uniqueid: deadLetter().uniqueid, verdict: answer(outcome), deadLetter, cleaned: 0 };
}

/** Everything is written already; the reply is all that is left. */
function written(outcome: Outcome, uniqueid: string | null): Entry {
  return { uniqueid, verdict: answer(outcome), deadLetter: () => null, cleaned: 0 };
}

function answer(outcome: Outcome) {
  return { kind: 'answer' as const, outcome, validationOnly: false };
}

/** A replay that came here is not tried for long: its row keeps it. */
function outcomeOf(persisted: PersistResult | undefined): Outcome {
  if (persisted !== undefined && persisted.kind !== 'held') return persisted;
  const error = persisted === undefined ? 'was not settled' : `${persisted.row}: ${persisted.why}`;
  return { kind: 'failed', reason: 'poison', error };
}

function quarantinePorts(options: DeadQueueOptions): QuarantinePorts {
  const { database, systemCurrency, keeping } = options;
  const { sql } = database;
  const keyOf = ({ digest }: DeadLetter) => ({ reason: 'poison' as const, digest });
  return {
    deadLetterOf: (request, reading) => {
      if (reading === 'minimal') return minimalDeadLetter(request.body, request.bytes);
      return reading === 'plain' ? plainDeadLetter(request, keeping) : deadLetterFor(request, keeping, false);
    },
    keep: async (submission) => {
      await persistOrdinary(sql, [submission], systemCurrency);
    },
    markTried: (deadLetter) => markTried(sql, keyOf(deadLetter)),
    admit: async (request) => {
      const admitted = await options.admit(request);
      const deadLetter = admitted.deadLetter();
      if (deadLetter?.verified) await verifyDeadLetter(sql, keyOf(deadLetter));
      return admitted;
    },
    persistAndResolve: (submission, deadLetter) =>
      database.transaction(
        async (within): Promise<Outcome> => {
          const [outcome] = await persistOrdinary(within, [submission], systemCurrency);
          if (outcome === undefined) return { kind: 'failed', reason: 'poison', error: 'was not settled' };
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
function plainDeadLetter(request: Request, { keptBodyBytes }: KeepingRules): DeadLetter {
  return deadLetterOfBytes(request, {}, request.properties, keptBodyBytes);
}
