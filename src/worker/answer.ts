import type { Outcome } from '../domain/outcome.ts';
import type { Message } from './batch.ts';
import type { Ports } from './ports.ts';
import { type Reply, type ReplyRules, replyTo, resultFor } from './reply.ts';
import type { Request } from './request.ts';

/** The reply to one message of a batch. */
export interface Answer<Delivery extends Request> {
  message: Message<Delivery>;
  outcome: Outcome;
  reply: Reply;
}

/** The replies to a batch. */
export function answersTo<Delivery extends Request>(
  messages: readonly Message<Delivery>[],
  outcomes: readonly Outcome[],
  rules: ReplyRules,
): Answer<Delivery>[] {
  return messages.flatMap((message, index) => {
    const outcome = outcomes[index];
    if (outcome === undefined) return [];
    const { delivery, submission } = message;
    return { message, outcome, reply: replyTo(delivery.properties, submission.uniqueid, outcome, rules) };
  });
}

/**
 * Publishes replies until each is confirmed, or unroutable everywhere. False where none of their deliveries can be
 * acknowledged any more: the broker delivers them again.
 */
export async function publishUntilConfirmed<Delivery extends Request>(
  answers: readonly Answer<Delivery>[],
  { publish, observe, pause, alive }: Ports<Delivery>,
  rules: ReplyRules,
): Promise<boolean> {
  let open = answers;
  for (let attempt = 0; ; attempt += 1) {
    const results = await publish(open.map(({ reply }) => reply));
    open = open.flatMap((answer, index) => {
      const result = results[index];
      return result === 'confirmed' ? [] : answerAgain(answer, result ?? 'failed', observe, rules);
    });
    if (open.length === 0) return true;
    if (results.includes('failed')) {
      observe({ kind: 'trouble', cause: 'broker', description: 'replies were not confirmed' });
      await pause('broker', attempt);
    }
    if (!answers.some(({ message }) => alive(message.delivery))) return false;
  }
}

/** Where a reply goes that was not confirmed: there again, or to the results exchange; nowhere if that returned it. */
function answerAgain<Delivery extends Request>(
  { message, outcome, reply }: Answer<Delivery>,
  result: 'returned' | 'failed',
  observe: Ports<Delivery>['observe'],
  rules: ReplyRules,
): Answer<Delivery>[] {
  const { delivery, submission } = message;
  const toResults = resultFor(delivery.properties, submission.uniqueid, outcome, rules);
  if (result === 'returned' && reply.exchange === toResults.exchange) {
    observe({ kind: 'unroutable reply', uniqueid: submission.uniqueid, request: delivery });
    return [];
  }
  // A failed direct reply is not tried again: its token may be what closed the connection.
  return [{ message, outcome, reply: result === 'returned' || reply.direct ? toResults : reply }];
}
