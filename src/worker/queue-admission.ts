import type { AuthResult, SetAside } from '../auth/verifier.ts';
import type { Delivery } from '../broker/delivery.ts';
import type { Outcome } from '../domain/outcome.ts';
import { asDecided, type Submission } from '../domain/submission.ts';
import { admitSoon, type Verify } from './admission.ts';
import { admitRecord, type RecordRules } from './feed-admission.ts';
import { unknownFeedDeadLetter } from './feed-dead-letter.ts';
import type { FeedLookup } from './feeds.ts';
import { admitOrder } from './order-admission.ts';
import type { Arrival } from './ports.ts';
import type { RecordedFeeds } from './recorded-feeds.ts';
import { admitReplay, type ReplayRules } from './replay-admission.ts';
import type { KeepingRules, Request } from './request.ts';

export interface QueueAdmissionOptions {
  /** The exchange of the contract. */
  exchange: string;
  feeds: Pick<FeedLookup, 'feedOf'>;
  recorded: Pick<RecordedFeeds, 'nameOf'>;
  rules: RecordRules & ReplayRules & { verifySoon: Verify<AuthResult | SetAside> };
}

/** Admits what arrives by the queue of calls: which way, the exchange that it was published to says, and the broker says that. */
export function createQueueAdmission({
  exchange: ofContract,
  feeds,
  recorded,
  rules,
}: QueueAdmissionOptions): (delivery: Delivery) => Arrival | Promise<Arrival> {
  const admitOfContract = (delivery: Delivery) => {
    const { replayHeader, correctionHeader } = delivery;
    if (replayHeader !== undefined) return admitReplay(delivery, replayHeader, rules);
    return correctionHeader === undefined
      ? admitSoon(delivery, rules)
      : admitOrder(delivery, correctionHeader, rules);
  };
  /** By another exchange: of a feed that is on record, or somebody's own that is bound to the contract's. */
  const admitOfOther = (delivery: Delivery, source: string | undefined) =>
    source === undefined ? admitOfContract(delivery) : admitUnknownFeed(delivery, source, rules);

  return (delivery) => {
    const { exchange } = delivery;
    const feed = feeds.feedOf(exchange);
    // First: replays come by the exchange of the contract, so that their header means nothing in a record.
    if (feed !== undefined) return admitRecord(delivery, feed, rules);
    if (exchange === ofContract) return admitOfContract(delivery);
    const source = recorded.nameOf(exchange);
    return source instanceof Promise
      ? source.then((late) => admitOfOther(delivery, late))
      : admitOfOther(delivery, source);
  };
}

/**
 * A record of a feed that is on record and not in this worker's sources file. It is kept as it came: read as a call of the
 * contract it would be refused, and nobody would know of which feed it was.
 */
function admitUnknownFeed(request: Request, source: string, rules: KeepingRules): Submission {
  const error = `the sources file of this worker has no feed ${source}`;
  const outcome: Outcome = { kind: 'failed', reason: 'failed', error };
  return asDecided(outcome, {
    uniqueid: null,
    deadLetter: () => unknownFeedDeadLetter(request, source, rules),
  });
}
