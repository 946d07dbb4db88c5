import type { DeadLetter } from '../domain/dead-letter.ts';
import { messagesLike } from '../domain/held.ts';
import type { Outcome } from '../domain/outcome.ts';
import { asDecided, type Skipped, type Submission } from '../domain/submission.ts';
import { retry } from '../retry.ts';
import { classifyFailure } from '../store/failures.ts';
import type { Admitted } from './admission.ts';
import type { Request } from './request.ts';

/** A message that the broker dead-lettered, with what it counted. */
export interface QuarantinedMessage {
  request: Request;
  /** Whether it was delivered too often, or no queue wanted it. */
  reason: 'poison' | 'unroutable';
  /** Times that it left this queue before without being acknowledged. */
  redeliveries: number;
}

/** How the database is tried again. */
export interface RetryPorts {
  /** Whether the database can be used, although that error says that it cannot. Never rejects. */
  isWell: (error: unknown) => Promise<boolean>;
  pause: (attempt: number) => Promise<void>;
}

/** The outside world as a quarantined message needs it. */
export interface QuarantinePorts extends RetryPorts {
  /** The dead letter of a message; `plain` reads nothing but its text, for a body that may be what crashes. */
  deadLetterOf: (request: Request, reading: 'parsed' | 'plain' | 'minimal') => DeadLetter;
  /** Keeps a dead letter, committed. */
  keep: (submission: Submission) => Promise<void>;
  /** False if this dead letter was tried before. Committed. */
  markTried: (deadLetter: DeadLetter) => Promise<boolean>;
  /** Whether the call of a dead letter that was tried before is stored. */
  isResolved: (deadLetter: DeadLetter) => Promise<boolean>;
  admit: (request: Request) => Admitted | Skipped | Promise<Admitted | Skipped>;
  /** Closes the dead letter of a record that its feed leaves out. */
  closeSkipped: (deadLetter: DeadLetter) => Promise<void>;
  /** Persists one message and closes the dead letter, in one transaction. */
  persistAndClose: (submission: Submission, deadLetter: DeadLetter) => Promise<Outcome>;
  /** Has the dead letter wait for what kept its call from being stored; a worker tries it again. */
  waitFor: (deadLetter: DeadLetter, row: string) => Promise<void>;
}

const WHY: Readonly<Record<QuarantinedMessage['reason'], string>> = {
  poison: 'delivered too often without being acknowledged',
  unroutable: 'published with a routing key that no queue is bound to',
};

/** What became of a message; `unkeepable` where the database refuses its dead letter in every form. */
export type QuarantineResult =
  | { outcome: Outcome; uniqueid: string | null }
  | { skipped: Skipped }
  | { unkeepable: unknown };

/**
 * What becomes of a message that was delivered too often. It is kept first, in whatever form it can be kept in, so that
 * nothing that follows can lose it. It is then tried once, alone: an innocent neighbour of a message that crashes workers
 * is stored in the end, and one that crashes this worker too is not tried again, unless it has been stored since.
 *
 * @returns the outcome to answer with, and the uniqueid where it could be read
 */
export async function quarantineMessage(
  message: QuarantinedMessage,
  ports: QuarantinePorts,
): Promise<QuarantineResult> {
  const { request } = message;
  const parked: Outcome = { kind: 'failed', reason: 'poison', error: WHY.poison };
  const kept = await keepAnyhow(message, parked, ports);
  if ('unkeepable' in kept) return kept;
  const { deadLetter } = kept;
  const { uniqueid } = deadLetter;
  const isFirst = await untilDecisive(() => ports.markTried(deadLetter), ports);
  // A worker may have stored it and ended before it answered. Then it is safe to try again, and is answered as any repeat is.
  if (!isFirst && !(await untilDecisive(() => ports.isResolved(deadLetter), ports)))
    return { outcome: parked, uniqueid };

  const submission = await untilDecisive(async () => ports.admit(request), ports);
  if (submission.kind === 'skipped') {
    await untilDecisive(() => ports.closeSkipped(deadLetter), ports);
    return { skipped: submission };
  }
  try {
    const outcome = await untilDecisive(() => ports.persistAndClose(submission, deadLetter), ports);
    return { outcome, uniqueid };
  } catch (error) {
    // Its own fault again, and the dead letter is there already; or the fault of whoever holds its row.
    const row = messagesLike(submission);
    if (classifyFailure(error) !== 'message' && row !== null)
      await untilDecisive(() => ports.waitFor(deadLetter, row), ports);
    return { outcome: parked, uniqueid };
  }
}

/** Keeps the dead letter, in the least form where the database refuses another. */
async function keepAnyhow(
  { request, redeliveries }: QuarantinedMessage,
  outcome: Outcome,
  ports: QuarantinePorts,
): Promise<{ deadLetter: DeadLetter } | { unkeepable: unknown }> {
  let failure: unknown;
  for (const reading of [redeliveries > 1 ? 'plain' : 'parsed', 'minimal'] as const) {
    const deadLetter = ports.deadLetterOf(request, reading);
    const { uniqueid } = deadLetter;
    try {
      await untilDecisive(
        () => ports.keep(asDecided(outcome, { uniqueid, deadLetter: () => deadLetter })),
        ports,
      );
      return { deadLetter };
    } catch (error) {
      failure = error;
    }
  }
  return { unkeepable: failure };
}

/**
 * What becomes of a replay that the broker dead-lettered. Its row keeps it already. One that was delivered too often is
 * tried once, alone, as an ordinary message is. When it leaves this queue a second time, that may be what it does to
 * workers: then its row is dead again, for this reason.
 */
export async function quarantineReplay(
  message: QuarantinedMessage,
  replay: Admitted,
  ports: RetryPorts & { persist: (submission: Submission) => Promise<Outcome> },
): Promise<Outcome> {
  const { reason } = message;
  if (reason === 'poison' && message.redeliveries === 0) {
    try {
      return await untilDecisive(() => ports.persist(replay), ports);
    } catch {
      // Its own fault again.
    }
  }
  const outcome: Outcome = { kind: 'failed', reason, error: WHY[reason] };
  return await untilDecisive(() => ports.persist(asDecided(outcome, replay)), ports);
}

/** Tries of what fails while the database is well. */
const TRIES = 8;

/**
 * Repeats what fails because of the database, as long as the database says so itself. Rejects with a failure that is the
 * message's own, and with one that goes on although the database is well.
 */
async function untilDecisive<Result>(work: () => Promise<Result>, ports: RetryPorts): Promise<Result> {
  let inVain = 0;
  const isDatabases = async (error: unknown) => {
    if (classifyFailure(error) === 'message') return false;
    inVain = (await ports.isWell(error)) ? inVain + 1 : 0;
    return inVain < TRIES;
  };
  return await retry(work, isDatabases, ports.pause);
}
