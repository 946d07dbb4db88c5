import { isFirst, type Outcome } from '../domain/outcome.ts';
import type { Novelty } from '../domain/sequence.ts';
import { isValidationOnly, type Submission } from '../domain/submission.ts';
import type { Heard, HeardRecord } from './heard.ts';
import type { PipelineEvent } from './pipeline-events.ts';

/** Tells of whom a pipeline has heard: of every record that has an outcome or is left out. */
export function hear(event: PipelineEvent, { record }: Pick<Heard, 'record'>): void {
  if (event.kind === 'skipped') {
    const { source: name, sequence } = event;
    record({ kind: 'feed', name, sequence, novelty: 'unknown', isCounted: true });
  } else if (event.kind === 'persisted') {
    event.outcomes.forEach((outcome, index) => {
      const submission = event.messages[index]?.submission;
      const heard = submission && heardOf(submission, outcome);
      if (heard) record(heard);
    });
  }
}

/** Null where a message says nothing about its switch: its sender is not known, or an operator sent it again. */
function heardOf(submission: Submission, outcome: Outcome): HeardRecord | null {
  if (submission.replay !== undefined) return null;
  const { source, sender, sequence = null } = submission;
  const validationOnly = isValidationOnly(submission);
  const novelty = noveltyOf(outcome);
  const isCounted = novelty !== 'again' && !validationOnly;
  if (source !== undefined) return { kind: 'feed', name: source, sequence, novelty, isCounted };
  return sender === undefined ? null : { kind: 'user', name: sender, sequence: null, novelty, isCounted };
}

function noveltyOf({ kind }: Outcome): Novelty {
  if (isFirst({ kind })) return 'new';
  return kind === 'duplicate' ? 'again' : 'unknown';
}
