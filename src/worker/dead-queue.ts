import { setTimeout as sleep } from 'node:timers/promises';
import type { Delivery } from '../broker/consumer.ts';
import { redeliveriesSince } from '../broker/delivery.ts';
import type { DeadLetter } from '../domain/dead-letter.ts';
import type { PersistResult } from '../domain/held.ts';
import type { Outcome } from '../domain/outcome.ts';
import { asDecided, type Skipped, type Submission } from '../domain/submission.ts';
import { clean, shorten } from '../domain/text.ts';
import type { Feed } from '../sources/feed.ts';
import { describeFailure } from '../store/failures.ts';
import type { Admitted } from './admission.ts';
import { feedDeadLetterFor, plainFeedDeadLetter } from './feed-dead-letter.ts';
import type { FeedLookup } from './feeds.ts';
import { quarantineMessage, quarantineReplay } from './quarantine.ts';
import { feedPorts, type QuarantineOptions, quarantinePorts } from './quarantine-ports.ts';
import { deadLetterFor, type KeepingRules } from './request.ts';

export interface DeadQueueOptions extends QuarantineOptions {
  /** Of the queue that calls come from. */
  deliveryLimit: number;
  /** A replay, or what an operator has ordered: it has a one-time token in place of credentials. */
  admitVouched: (delivery: Delivery) => Admitted;
  feeds: Pick<FeedLookup, 'feedOf'>;
  /** The exchange that the broker dead-letters to. */
  deadExchange: string;
  /** Whether the broker's record of a death is its own, whatever its client wrote (`keepsOwnDeaths`). */
  keepsOwnDeaths: () => boolean;
  persist: (submissions: readonly Submission[]) => Promise<PersistResult[]>;
  /** Whether the broker still waits for the delivery's acknowledgement. */
  isLive: (delivery: Delivery) => boolean;
  /** Told of a message whose dead letter the database refuses in every form. */
  onUnkeepable: (description: string) => void;
}

/**
 * Reasons of death that are no fault of the message: it expired, the queue was full (`maxlen`), or a worker set it aside
 * (`rejected`).
 */
const HARMLESS_DEATHS = new Set(['expired', 'maxlen', 'rejected']);
/** A message that left this queue so often without being acknowledged may be what ends workers, whatever its death says. */
const ENDED_WORKERS = 3;
const AGAIN_AFTER_MS = 10_000;

/**
 * Admits messages that the broker dead-lettered, by its record of their death. Calls that expired are admitted as calls
 * are, and what no queue wanted becomes a dead letter: both are persisted in batches. Messages that were delivered too
 * often are quarantined, one at a time: kept, tried once, answered. A forged record of a death gains nothing: of a message
 * that speaks the contract credentials are checked in any case, and a feed's record is one only where that is certain.
 */
export function createDeadQueueAdmission(
  options: DeadQueueOptions,
): (delivery: Delivery) => Submission | Skipped | Promise<Submission | Skipped> {
  const ports = quarantinePorts(options);
  const inTurn = oneAtATime();

  async function admitPoison(
    delivery: Delivery,
    redeliveries: number,
    feed?: Feed,
  ): Promise<Submission | Skipped> {
    const message = { request: delivery, reason: 'poison' as const, redeliveries };
    const own = feed === undefined ? ports : { ...ports, ...feedPorts(options, feed) };
    for (;;) {
      const result = await inTurn(() => quarantineMessage(message, own));
      if ('skipped' in result) return result.skipped;
      if (!('unkeepable' in result)) return replyOnly(result.outcome, result.uniqueid);
      options.onUnkeepable(describeFailure(result.unkeepable));
      // It stays in hand, out of the way of the others.
      await sleep(AGAIN_AFTER_MS, undefined, { ref: false });
      // Nobody hears what became of it: the broker delivers it again.
      if (!options.isLive(delivery)) return replyOnly({ kind: 'superseded' }, null);
    }
  }

  async function admitDeadVouched(delivery: Delivery, redeliveries: number): Promise<Submission> {
    const admitted = options.admitVouched(delivery);
    const reason = delivery.deaths.reason === null ? 'unroutable' : 'poison';
    const persist = async (submission: Submission) => outcomeOf((await options.persist([submission]))[0]);
    const outcome = await inTurn(() =>
      quarantineReplay({ request: delivery, reason, redeliveries }, admitted, { ...ports, persist }),
    );
    return replyOnly(outcome, admitted.uniqueid);
  }

  function admitOfFeed(delivery: Delivery, { feed, isCertain }: Origin, redeliveries: number) {
    const { reason } = delivery.deaths;
    const isHarmless = redeliveries < ENDED_WORKERS;
    if (!isCertain) return admitUncertain(delivery, feed, isHarmless, options.keeping);
    if (isHarmless && delivery.exchange === feed.spec.exchange)
      return admitUnroutable(delivery, () => feedDeadLetterFor(delivery, feed, options.keeping, false));
    if (isHarmless && HARMLESS_DEATHS.has(reason ?? '')) return options.admitRecord(delivery, feed);
    return admitPoison(delivery, redeliveries, feed);
  }

  return (delivery) => {
    const { deaths } = delivery;
    const redeliveries = redeliveriesSince(deaths, options.deliveryLimit);
    const origin = originOf(delivery, options);
    // What operators send comes by the exchange of the contract, so that these headers mean nothing in a record.
    if (origin !== undefined) return admitOfFeed(delivery, origin, redeliveries);
    const isVouched = delivery.replayHeader !== undefined || delivery.correctionHeader !== undefined;
    const isHarmless = redeliveries < ENDED_WORKERS;
    if (isHarmless && HARMLESS_DEATHS.has(deaths.reason ?? '')) {
      if (isVouched) return options.admitVouched(delivery);
      // One password at a time: those that come from switches now go first.
      return deaths.reason === 'rejected'
        ? inTurn(async () => options.admit(delivery))
        : options.admit(delivery);
    }
    if (isVouched) return admitDeadVouched(delivery, redeliveries);
    if (isHarmless && deaths.reason === null)
      return admitUnroutable(delivery, () => deadLetterFor(delivery, options.keeping, false));
    return admitPoison(delivery, redeliveries);
  };
}

/** The feed that a message of this queue came by. */
interface Origin {
  feed: Feed;
  /** Nobody but a publisher of that feed can have sent it. */
  isCertain: boolean;
}

/**
 * What was never dead-lettered still has the exchange that it was published to, which the broker says itself; of what
 * was, only the record of its death tells.
 */
function originOf(
  { exchange, deaths }: Delivery,
  { feeds, deadExchange, keepsOwnDeaths }: DeadQueueOptions,
): Origin | undefined {
  const isDead = exchange === deadExchange;
  const feed = feeds.feedOf(isDead ? (deaths.exchange ?? '') : exchange);
  return feed && { feed, isCertain: !isDead || keepsOwnDeaths() };
}

/** Whoever may publish calls can have written the feed's exchange there: an operator has to look at it. */
function admitUncertain(
  delivery: Delivery,
  feed: Feed,
  isReadable: boolean,
  keeping: KeepingRules,
): Submission {
  const { reason } = delivery.deaths;
  const error = `dead-lettered by the broker (${shorten(clean(reason ?? 'unknown'), 100)}), which before RabbitMQ 4 cannot tell a record of feed ${feed.name} from another message that claims to be one`;
  const deadLetter = () =>
    isReadable
      ? feedDeadLetterFor(delivery, feed, keeping, false)
      : plainFeedDeadLetter(delivery, feed, keeping);
  const outcome: Outcome = { kind: 'failed', reason: 'poison', error };
  return asDecided(outcome, { uniqueid: deadLetter().uniqueid, deadLetter });
}

/** Its credentials are not checked: it may have been meant for others. */
function admitUnroutable(delivery: Delivery, deadLetter: () => DeadLetter): Submission {
  const key = shorten(clean(delivery.properties.routingKey), 100);
  const error = `published with the routing key ${JSON.stringify(key)}, which no queue is bound to`;
  const outcome: Outcome = { kind: 'failed', reason: 'unroutable', error };
  return asDecided(outcome, { uniqueid: deadLetter().uniqueid, deadLetter });
}

/** Everything is written already; only the reply is left. */
function replyOnly(outcome: Outcome, uniqueid: string | null): Submission {
  return asDecided(outcome, { uniqueid, deadLetter: () => null });
}

/** A replay is not tried for long here, because its row keeps it. */
function outcomeOf(persisted: PersistResult | undefined): Outcome {
  if (persisted !== undefined && persisted.kind !== 'held') return persisted;
  const error = persisted === undefined ? 'was not persisted' : `${persisted.row}: ${persisted.why}`;
  return { kind: 'failed', reason: 'poison', error };
}

/** Runs one piece of work after the other, whatever becomes of each. */
function oneAtATime(): <Result>(work: () => Promise<Result>) => Promise<Result> {
  let last: Promise<unknown> = Promise.resolve();
  return (work) => {
    const done = last.then(work);
    last = done.catch(() => undefined);
    return done;
  };
}
