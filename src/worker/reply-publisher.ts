import { DirectReplies, type DirectResult } from '../broker/direct-replies/direct-replies.ts';
import { ExchangePermission } from '../broker/exchange-permission.ts';
import { createPublisher, type PublishResult } from '../broker/publisher.ts';
import type { SupervisedConnection } from '../broker/supervisor.ts';
import type { Diversion } from '../domain/reply.ts';
import { answersInOrder, pairs } from '../pairs.ts';
import type { Published, Reply } from './ports.ts';

/** Replies that may wait for their confirm at once. */
const MAX_IN_FLIGHT = 5000;
/** Direct replies that share a connection with addresses that have not worked before. */
const MAX_LIKELY_IN_FLIGHT = 100;

export type ReplyPublisher = ReturnType<typeof createReplyPublisher>;

/** The exchanges that replies go through: the default one reaches the queues of senders. */
export type ReplyExchange = 'default' | 'results';

export interface ReplyEvents {
  onDiverted: (why: Diversion, address: string) => void;
  /** The broker began or ceased to refuse what is published to an exchange; `detail` has its words. */
  onRefused: (exchange: ReplyExchange, isRefused: boolean, detail: string) => void;
}

/** Those of direct replies are opened when they are first needed: see DirectReplies. */
export interface ReplyConnections {
  results: SupervisedConnection;
  queues: SupervisedConnection;
  direct: ConstructorParameters<typeof DirectReplies>[0];
}

/**
 * Publishes replies and waits for the confirm of each. A refusal closes the channel, and a direct reply may close the
 * connection: so replies to cdrs.results, to queues of senders and to direct addresses share neither.
 */
export function createReplyPublisher(connections: ReplyConnections, timeoutMs: number, events: ReplyEvents) {
  const options = { timeoutMs, maxInFlight: MAX_IN_FLIGHT };
  const results = createPublisher(connections.results, options);
  const queues = createPublisher(connections.queues, options);
  const direct = new DirectReplies(connections.direct, options, {
    timeoutMs,
    maxInFlight: MAX_LIKELY_IN_FLIGHT,
  });
  const permissionFor = (exchange: ReplyExchange) =>
    new ExchangePermission((isRefused, detail) => events.onRefused(exchange, isRefused, detail));
  const resultsPermission = permissionFor('results');
  const defaultPermission = permissionFor('default');

  /** There is nowhere else to go: what is refused is tried again until it is taken. */
  async function toResults(replies: readonly Reply[]): Promise<Published[]> {
    const sent = await results.publishBatch(replies.map(toMessage));
    return sent.map((result) => {
      if (result.kind === 'failed' && result.reason === 'refused') resultsPermission.refused(result.detail);
      else if (result.kind !== 'failed') resultsPermission.accepted();
      if (result.kind !== 'failed') return result.kind;
      return result.reason === 'unencodable' ? 'returned' : 'failed';
    });
  }

  async function toSenders(replies: readonly Reply[]): Promise<Published[]> {
    const allowed = defaultPermission.allowed();
    const asked = allowed === 'all' ? replies : allowed === 'one' ? replies.slice(0, 1) : [];
    const results: DirectResult[] = await answeredApart(asked, ({ direct }) => direct, toDirect, toQueues);
    return replies.map((reply, index) => noteSent(reply, results[index]));
  }

  function toDirect(replies: readonly Reply[]): Promise<DirectResult[]> {
    return direct.publish(replies.map((reply) => ({ message: toMessage(reply), accepted: reply.accepted })));
  }

  function toQueues(replies: readonly Reply[]): Promise<PublishResult[]> {
    return queues.publishBatch(replies.map(toMessage));
  }

  function noteSent({ direct: isDirect, routingKey }: Reply, result: DirectResult | undefined): Published {
    if (result?.kind === 'failed' && result.reason === 'refused') defaultPermission.refused(result.detail);
    if (result?.kind === 'confirmed' || result?.kind === 'returned') defaultPermission.accepted();
    const published = publishedAs(result, isDirect);
    if (published === 'returned') events.onDiverted(whyDiverted(result), routingKey);
    return published;
  }

  function publish(replies: readonly Reply[]): Promise<Published[]> {
    return answeredApart(replies, ({ exchange }) => exchange === '', toSenders, toResults);
  }

  return {
    publish,
    /** Replies that may take longer than others: to direct addresses that have not worked before. */
    isSlow: ({ direct: isDirect, routingKey }: Reply) => isDirect && !direct.isProven(routingKey),
    /** Whether the broker takes replies to the results exchange, as far as is known. */
    acceptsResults: () => !resultsPermission.isRefused,
    stop: async () =>
      void (await Promise.all([connections.results.stop(), connections.queues.stop(), direct.stop()])),
  };
}

/** How the items of a batch are answered, in their order: a list at a time. */
type AnswerAll<Item, Answer> = (items: readonly Item[]) => Promise<Answer[]>;

/** Answers of `some` to the items that it is for, and of `others` to the rest, in the order of the items. */
function answeredApart<Item, Answer>(
  items: readonly Item[],
  isForSome: (item: Item) => boolean,
  some: AnswerAll<Item, Answer>,
  others: AnswerAll<Item, Answer>,
): Promise<Answer[]> {
  if (items.every(isForSome)) return some(items);
  return items.some(isForSome) ? answeredByBoth(items, isForSome, some, others) : others(items);
}

async function answeredByBoth<Item, Answer>(
  items: readonly Item[],
  isForSome: (item: Item) => boolean,
  some: AnswerAll<Item, Answer>,
  others: AnswerAll<Item, Answer>,
): Promise<Answer[]> {
  const chosen = items.filter(isForSome);
  const rest = items.filter((item) => !isForSome(item));
  const [ofChosen, ofRest] = await Promise.all([some(chosen), others(rest)]);
  return answersInOrder(items, new Map([...pairs(chosen, ofChosen), ...pairs(rest, ofRest)]));
}

/**
 * What becomes of a reply to its sender; `returned` sends it to the results exchange instead. That is so for what cannot
 * be encoded, for what the sender's queue refuses because it is full or without its node (waiting would hold up all
 * others), and for a direct reply that failed for any reason but an alarm: its sender waits a few seconds only.
 */
function publishedAs(result: DirectResult | undefined, isDirect: boolean): Published {
  if (result === undefined) return 'returned';
  if (result.kind === 'confirmed') return 'confirmed';
  if (result.kind !== 'failed') return 'returned';
  switch (result.reason) {
    case 'nacked':
    case 'unencodable':
    case 'refused':
      return 'returned';
    case 'blocked':
      return 'failed';
    case 'timeout':
    case 'disconnected':
      return isDirect ? 'returned' : 'failed';
  }
}

function whyDiverted(result: DirectResult | undefined): Diversion {
  if (result === undefined) return 'refused';
  if (result.kind === 'confirmed') return 'returned';
  if (result.kind !== 'failed') return result.kind;
  return result.reason === 'refused' ? 'refused' : 'failed';
}

function toMessage({ exchange, routingKey, mandatory, body, correlationId, headers, inContext }: Reply) {
  const properties = { contentType: 'application/json', persistent: true, correlationId, headers };
  return { exchange, routingKey, mandatory, body, properties, inContext };
}
