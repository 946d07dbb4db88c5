import { setTimeout as delay, setImmediate as nextTurn } from 'node:timers/promises';
import { DUMMY_HASH, verifyPassword } from '../auth/password.ts';
import type { Delivery } from '../broker/delivery.ts';
import { defaultNames } from '../broker/topology.ts';
import type { BillingRules } from '../domain/charge.ts';
import { sleep } from '../retry.ts';
import { createPersistAroundLocks } from '../store/persist/around-locks.ts';
import { attemptsOn } from '../store/persist/attempts.ts';
import { HeldRows } from '../store/persist/held-rows.ts';
import { createReadAhead } from '../store/persist/read-ahead.ts';
import { admitSoon, SUBMITTER } from './admission.ts';
import { madeUpDatabase, madeUpDelivery } from './made-up.ts';
import { Pipeline } from './pipeline.ts';
import type { Reply } from './ports.ts';

/** As many at once as a full batch has, then one by one as at low load. */
const TOGETHER = 500;
const ALONE = 20;
const ANY_MS = 1000;
const PAUSE_MS = 10;
const MAX_BYTES = 65_536;
const USER = { kind: 'ok' as const, username: 'warm-up', role: SUBMITTER, confinement: null };

/**
 * Does once what the first calls would otherwise wait for: verifies a password that nobody has, and sends calls that nobody
 * made through a pipeline that reaches nothing, so that V8 has compiled the way of a message before the first one comes. Counts,
 * logs and keeps nothing. Ends after so many rounds, or when that many milliseconds have passed, or when `signal` is aborted.
 * Never rejects: the first call is soon enough to tell what is wrong.
 *
 * @returns the replies of the last round
 */
export async function warmUp(
  billing: BillingRules,
  { rounds, limitMs }: { rounds: number; limitMs: number },
  signal?: AbortSignal,
): Promise<Reply[]> {
  const until = performance.now() + limitMs;
  const isOver = () => signal?.aborted === true || performance.now() > until;
  const { pipeline, replies } = madeUpPipeline(billing, isOver);
  const deliveries = Array.from({ length: TOGETHER + ALONE }, (_, number) => madeUpDelivery(number));
  const send = async (sent: readonly Delivery[]) => {
    for (const delivery of sent) pipeline.accept(delivery);
    await pipeline.idle();
  };
  const work = async () => {
    for (let round = 0; round < rounds && !isOver(); round += 1) {
      replies.length = 0;
      await send(deliveries.slice(0, TOGETHER));
      for (const delivery of deliveries.slice(TOGETHER)) await send([delivery]);
      // What else the worker has to do at its start goes on meanwhile.
      await nextTurn();
    }
  };
  const done = Promise.all([verifyPassword(DUMMY_HASH, ''), work()]);
  await Promise.race([done, delay(limitMs, undefined, { ref: false, signal })]).catch(() => undefined);
  return replies;
}

/** A pipeline as `queue-worker.ts` makes one. */
function madeUpPipeline(billing: BillingRules, isOver: () => boolean) {
  const replies: Reply[] = [];
  const rows = new HeldRows();
  const database = madeUpDatabase(billing);
  const persist = createPersistAroundLocks(attemptsOn(database, billing, ANY_MS), rows, {
    lockTimeoutMs: ANY_MS,
    patienceMs: ANY_MS,
  });
  const rules = {
    maxBodyBytes: MAX_BYTES,
    keptBodyBytes: MAX_BYTES,
    ignored: new Set<string>(),
    systemCurrency: billing.systemCurrency,
    verifySoon: () => USER,
  };
  const pipeline = new Pipeline<Delivery>(
    {
      admit: (delivery) => admitSoon(delivery, rules),
      prepare: createReadAhead(database.sql, billing, persist),
      publish: async (published) => {
        replies.push(...published);
        return published.map(() => 'confirmed');
      },
      acknowledge: () => undefined,
      setAside: () => undefined,
      // Nothing is tried for longer.
      isLive: () => !isOver(),
      rows,
      look: () => sleep(PAUSE_MS),
      isWell: async () => true,
      pause: () => sleep(PAUSE_MS),
      now: () => performance.now(),
      observe: () => undefined,
    },
    {
      admittedAtOnce: TOGETHER,
      batchSize: TOGETHER,
      batchBytes: TOGETHER * MAX_BYTES,
      replies: {
        resultsExchange: defaultNames.resultsExchange,
        allow: /^cdrs\.reply\./u,
        ownQueues: new Set([defaultNames.queue, defaultNames.deadQueue, defaultNames.resultsQueue]),
      },
      repliesInFlight: 1,
      limit: 0,
      limitBytes: 0,
      holdsEndless: false,
      waitMs: 0,
    },
  );
  return { pipeline, replies };
}
