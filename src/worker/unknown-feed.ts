import type { Outcome } from '../domain/outcome.ts';
import { asDecided, type Submission } from '../domain/submission.ts';
import { unknownFeedDeadLetter } from './feed-dead-letter.ts';
import type { KeepingRules, Request } from './request.ts';

/**
 * A record of a feed that is on record and not in this worker's sources file. It is kept as it came: read as a call of the
 * contract it would be refused, and nobody would know of which feed it was.
 */
export function admitUnknownFeed(request: Request, source: string, rules: KeepingRules): Submission {
  const error = `the sources file of this worker has no feed ${source}`;
  const outcome: Outcome = { kind: 'failed', reason: 'failed', error };
  return asDecided(outcome, {
    uniqueid: null,
    deadLetter: () => unknownFeedDeadLetter(request, source, rules),
  });
}
