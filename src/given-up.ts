import type { Admitted } from './admission.ts';
import type { Request } from './broker/envelope.ts';
import type { Letter } from './domain/letter.ts';
import type { Outcome, ParkedReason } from './domain/outcome.ts';
import type { Submission } from './domain/submission.ts';
import type { Blame } from './pipeline.ts';

/** A message that the broker gave up on, with what it counted. */
export interface GivenUp {
  request: Request;
  /** Times it was dead-lettered; 0 means that no queue wanted it. */
  deadLettered: number;
  /** Times it left this queue before without being acknowledged. */
  redeliveries: number;
}

/** The outside world as a message that was given up on needs it. */
export interface GivenUpPorts {
  /** The letter of a message; `plain` reads nothing but its text, for a body that may be what crashes. */
  letterOf: (request: Request, reading: 'parsed' | 'plain') => Letter;
  /** Keeps a letter, committed. */
  keep: (submission: Submission) => Promise<void>;
  /** False if this letter was tried before. Committed. */
  markTried: (letter: Letter) => Promise<boolean>;
  admit: (request: Request) => Admitted | Promise<Admitted>;
  /** Settles one message and resolves the letter, in one transaction. */
  settleAndResolve: (submission: Submission, letter: Letter) => Promise<Outcome>;
  blame: (error: unknown) => Blame;
  describe: (error: unknown) => string;
  pause: (cause: Exclude<Blame, 'message'>, attempt: number) => Promise<void>;
}

const WHY: Readonly<Record<Exclude<ParkedReason, 'failed'>, string>> = {
  poison: 'delivered too often without being settled',
  unroutable: 'published with a routing key that no queue is bound to',
};

/**
 * What becomes of a message that the broker gave up on. It is kept first, so that nothing that follows can lose
 * it. One that was delivered too often is then tried once, alone: an innocent neighbour of a message that crashes
 * workers is stored in the end, and one that crashes this worker too is not tried again.
 *
 * @returns the outcome to answer with, and the uniqueid where it could be read
 */
export async function takeIn(
  message: GivenUp,
  ports: GivenUpPorts,
): Promise<{ outcome: Outcome; uniqueid: string | null }> {
  const { request } = message;
  const reason = message.deadLettered > 0 ? 'poison' : 'unroutable';
  const letter = ports.letterOf(request, message.redeliveries > 1 ? 'plain' : 'parsed');
  const { uniqueid } = letter;
  const parked: Outcome = { kind: 'failed', reason, error: WHY[reason] };
  const kept: Submission = {
    verdict: { kind: 'answer', outcome: parked, validationOnly: false },
    letter: () => letter,
  };
  await persistently(() => ports.keep(kept), ports);
  if (reason === 'unroutable') return { outcome: parked, uniqueid };
  if (!(await persistently(() => ports.markTried(letter), ports))) return { outcome: parked, uniqueid };

  try {
    const outcome = await persistently(
      async () => ports.settleAndResolve(await ports.admit(request), letter),
      ports,
    );
    return { outcome, uniqueid };
  } catch {
    // Its own fault again: the letter is there already.
    return { outcome: parked, uniqueid };
  }
}

/**
 * What becomes of a replay that the broker gave up on. Its row keeps it already. One that was delivered too often is
 * tried once, alone, as an ordinary message is: when it leaves this queue a second time, that may be what it does to
 * workers. Else its row is dead again, for this reason.
 */
export async function takeInReplay(
  message: GivenUp,
  replay: Admitted,
  ports: Pick<GivenUpPorts, 'blame' | 'pause'> & { settle: (submission: Submission) => Promise<Outcome> },
): Promise<Outcome> {
  const reason = message.deadLettered > 0 ? 'poison' : 'unroutable';
  const outcome: Outcome = { kind: 'failed', reason, error: WHY[reason] };
  if (reason === 'poison' && message.redeliveries === 0) {
    try {
      return await persistently(() => ports.settle(replay), ports);
    } catch {
      // Its own fault again.
    }
  }
  const verdict = { kind: 'answer' as const, outcome, validationOnly: false };
  return await persistently(() => ports.settle({ ...replay, verdict }), ports);
}

/** Repeats what fails for a reason that is not the message's; rejects with what is. */
async function persistently<Result>(
  work: () => Promise<Result>,
  ports: Pick<GivenUpPorts, 'blame' | 'pause'>,
): Promise<Result> {
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await work();
    } catch (error) {
      const blame = ports.blame(error);
      if (blame === 'message') throw error;
      await ports.pause(blame, attempt);
    }
  }
}
