import type { BillingRules } from '../domain/charge.ts';
import { type DeadLetter, deadLetterOfBytes, minimalDeadLetter } from '../domain/dead-letter.ts';
import type { Outcome } from '../domain/outcome.ts';
import type { Skipped } from '../domain/submission.ts';
import { backoffMs, sleep } from '../retry.ts';
import type { Feed } from '../sources/feed.ts';
import type { Database } from '../store/database.ts';
import { proofOf } from '../store/dead-letters/known.ts';
import {
  closeSkipped,
  closeTried,
  isResolved,
  markTried,
  verifyDeadLetter,
} from '../store/dead-letters/tried.ts';
import { waitFor } from '../store/dead-letters/waiting.ts';
import { persist } from '../store/persist/persist.ts';
import type { Admitted } from './admission.ts';
import { feedDeadLetterFor, plainFeedDeadLetter } from './feed-dead-letter.ts';
import type { QuarantinePorts } from './quarantine.ts';
import { isWell } from './queue-worker.ts';
import { deadLetterFor, type KeepingRules, type Request } from './request.ts';

/** What the quarantine needs of the worker. */
export interface QuarantineOptions {
  database: Pick<Database, 'sql' | 'transaction'>;
  billing: BillingRules;
  keeping: KeepingRules;
  reachable: () => Promise<boolean>;
  admit: (request: Request) => Admitted | Promise<Admitted>;
  admitRecord: (request: Request, feed: Feed) => Admitted | Skipped | Promise<Admitted>;
}

const TRANSACTION_TIMEOUT_MS = 5000;

const keyOf = ({ digest }: DeadLetter) => ({ reason: 'poison' as const, digest });

/** The quarantine over the database, for messages that speak the contract. */
export function quarantinePorts(options: QuarantineOptions): QuarantinePorts {
  const { database, billing, keeping } = options;
  const { sql } = database;
  return {
    deadLetterOf: (request, reading) => {
      if (reading === 'minimal') return minimalDeadLetter(request.body, request.bytes);
      return reading === 'plain' ? plainDeadLetter(request, keeping) : deadLetterFor(request, keeping, false);
    },
    keep: async (submission) => {
      await persist(sql, [submission], billing);
    },
    markTried: (deadLetter) => markTried(sql, keyOf(deadLetter)),
    isResolved: (deadLetter) => isResolved(sql, keyOf(deadLetter)),
    admit: async (request) => verifying(await options.admit(request), sql),
    closeSkipped: (deadLetter) => closeSkipped(sql, keyOf(deadLetter)),
    persistAndClose: (submission, deadLetter) =>
      database.transaction(
        async (within): Promise<Outcome> => {
          const [outcome] = await persist(within, [submission], billing);
          if (outcome === undefined) return { kind: 'failed', reason: 'poison', error: 'was not persisted' };
          await closeTried(within, keyOf(deadLetter), outcome, proofOf(submission));
          return outcome;
        },
        { timeoutMs: TRANSACTION_TIMEOUT_MS },
      ),
    waitFor: (deadLetter, row) => waitFor(sql, keyOf(deadLetter), row),
    isWell: (error) => isWell(error, options.reachable),
    pause: (attempt) => sleep(backoffMs(attempt)),
  };
}

/** The same for a record of a feed. */
export function feedPorts(
  { database, keeping, admitRecord }: QuarantineOptions,
  feed: Feed,
): Pick<QuarantinePorts, 'deadLetterOf' | 'admit'> {
  return {
    deadLetterOf: (request, reading) => {
      if (reading === 'minimal') return minimalDeadLetter(request.body, request.bytes, feed.name);
      return reading === 'plain'
        ? plainFeedDeadLetter(request, feed, keeping)
        : feedDeadLetterFor(request, feed, keeping, false);
    },
    admit: async (request) => {
      const admitted = await admitRecord(request, feed);
      return admitted.kind === 'skipped' ? admitted : verifying(admitted, database.sql);
    },
  };
}

/** Records in the dead letter that the sender has been verified by now. */
async function verifying(admitted: Admitted, sql: Database['sql']): Promise<Admitted> {
  const deadLetter = admitted.deadLetter();
  if (deadLetter.verified) await verifyDeadLetter(sql, keyOf(deadLetter));
  return admitted;
}

/** Of bytes alone: parsing the body may be what ends workers. */
function plainDeadLetter(request: Request, { keptBodyBytes }: KeepingRules): DeadLetter {
  return deadLetterOfBytes(request, {}, request.properties, keptBodyBytes);
}
