import type { DeadLetter } from '../domain/dead-letter.ts';
import { callsLike } from '../domain/held.ts';
import type { Outcome, ParkedReason } from '../domain/outcome.ts';
import type { Submission } from '../domain/submission.ts';
import { retry } from '../retry.ts';
import { classifyFailure } from '../store/failures.ts';
import type { Admitted } from './admission.ts';
import type { Request } from './envelope.ts';

/** A message that the broker gave up on, with what it counted. */
export interface Quarantined {
  request: Request;
  /** Whether it was delivered too often, or no queue wanted it. */
  reason: 'poison' | 'unroutable';
  /** Times it left this queue before without being acknowledged. */
  redeliveries: number;
}

/** How what fails is tried again. */
export interface Patience {
  /** Whether the database can be used, although that error says that it cannot. Never rejects. */
  isWell: (error: unknown) => Promise<boolean>;
  pause: (attempt: number) => Promise<void>;
}

/** The outside world as a message that was given up on needs it. */
export interface QuarantinePorts extends Patience {
  /** The dead letter of a message; `plain` reads nothing but its text, for a body that may be what crashes. */
  deadLetterOf: (request: Request, reading: 'parsed' | 'plain' | 'minimal') => DeadLetter;
  /** Keeps a dead letter, committed. */
  keep: (submission: Submission) => Promise<void>;
  /** False if this dead letter was tried before. Committed. */
  markTried: (deadLetter: DeadLetter) => Promise<boolean>;
  admit: (request: Request) => Admitted | Promise<Admitted>;
  /** Persists one message and resolves the dead letter, in one transaction. */
  persistAndResolve: (submission: Submission, deadLetter: DeadLetter) => Promise<Outcome>;
  /** Has the dead letter wait for what kept its call from being stored; it is tried again by itself. */
  waitFor: (deadLetter: DeadLetter, row: string) => Promise<void>;
}

const WHY: Readonly<Record<Exclude<ParkedReason, 'failed'>, string>> = {
  poison: 'delivered too often without being settled',
  unroutable: 'published with a routing key that no queue is bound to',
};

/** What became of a message; `unkeepable` where the database refuses its dead letter in every form. */
export type QuarantineResult = { outcome: Outcome; uniqueid: string | null } | { unkeepable: unknown };

/**
 * What becomes of a message that was delivered too often. It is kept first, in whatever form it can be kept in, so that
 * nothing that follows can lose it. It is then tried once, alone: an innocent neighbour of a message that crashes workers is
 * stored in the end, and one that crashes this worker too is not tried again.
 *
 * @returns the outcome to answer with, and the uniqueid where it could be read
 */
export async function quarantineMessage(
  message: Quarantined,
  ports: QuarantinePorts,
): Promise<QuarantineResult> {
  const { request } = message;
  const parked: Outcome = { kind: 'failed', reason: 'poison', error: WHY.poison };
  const kept = await keepAnyhow(message, parked, ports);
  if ('unkeepable' in kept) return kept;
  const { deadLetter } = kept;
  const { uniqueid } = deadLetter;
  if (!(await persistently(() => ports.markTried(deadLetter), ports))) return { outcome: parked, uniqueid };

  const admitted = await persistently(async () => ports.admit(request), ports);
  try {
    const outcome = await persistently(() => ports.persistAndResolve(admitted, deadLetter), ports);
    return { outcome, uniqueid };
  } catch (error) {
    // Its own fault again, and the dead letter is there already; or somebody's who has its row.
    const { verdict } = admitted;
    if (classifyFailure(error) !== 'message' && verdict.kind === 'call')
      await persistently(() => ports.waitFor(deadLetter, callsLike(verdict.call.cdr)), ports);
    return { outcome: parked, uniqueid };
  }
}

/** Keeps the dead letter, in the least form where the database refuses another. */
async function keepAnyhow(
  { request, redeliveries }: Quarantined,
  outcome: Outcome,
  ports: QuarantinePorts,
): Promise<{ deadLetter: DeadLetter } | { unkeepable: unknown }> {
  let failure: unknown;
  for (const reading of [redeliveries > 1 ? 'plain' : 'parsed', 'minimal'] as const) {
    const deadLetter = ports.deadLetterOf(request, reading);
    const kept: Submission = {
      verdict: { kind: 'answer', outcome, validationOnly: false },
      deadLetter: () => deadLetter,
    };
    try {
      await persistently(() => ports.keep(kept), ports);
      return { deadLetter };
    } catch (error) {
      failure = error;
    }
  }
  return { unkeepable: failure };
}

/**
 * What becomes of a replay that the broker gave up on. Its row keeps it already. One that was delivered too often is
 * tried once, alone, as an ordinary message is: when it leaves this queue a second time, that may be what it does to
 * workers. Else its row is dead again, for this reason.
 */
export async function quarantineReplay(
  message: Quarantined,
  replay: Admitted,
  ports: Patience & { persist: (submission: Submission) => Promise<Outcome> },
): Promise<Outcome> {
  const { reason } = message;
  const outcome: Outcome = { kind: 'failed', reason, error: WHY[reason] };
  if (reason === 'poison' && message.redeliveries === 0) {
    try {
      return await persistently(() => ports.persist(replay), ports);
    } catch {
      // Its own fault again.
    }
  }
  const verdict = { kind: 'answer' as const, outcome, validationOnly: false };
  return await persistently(() => ports.persist({ ...replay, verdict }), ports);
}

/** Tries of what fails while the database is well. */
const TRIES = 8;

/**
 * Repeats what fails for a reason that is not the message's, as long as the database says so itself; rejects with what is,
 * and with what goes on failing although the database is well.
 */
async function persistently<Result>(work: () => Promise<Result>, ports: Patience): Promise<Result> {
  let inVain = 0;
  return await retry(
    work,
    async (error) => {
      if (classifyFailure(error) === 'message') return false;
      inVain = (await ports.isWell(error)) ? inVain + 1 : 0;
      return inVain < TRIES;
    },
    ports.pause,
  );
}
