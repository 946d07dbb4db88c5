import { type Brokers, openOperatorPublisher } from '../broker/operator-publisher.ts';
import type { OutgoingMessage } from '../broker/publisher.ts';
import { defaultNames } from '../broker/topology.ts';
import { REPLAY_HEADER } from '../domain/replay-header.ts';
import type { ReplayMessage } from './message.ts';

export { BrokerError } from '../broker/operator-publisher.ts';

/** Publishes replays to the exchange that switches publish to. */
export interface ReplayPublisher {
  /** Resolves when the broker has confirmed all messages; rejects with BrokerError after 30 s without success. */
  publish: (messages: readonly ReplayMessage[]) => Promise<void>;
  close: () => Promise<void>;
}

/** Rejects with BrokerError if no broker can be reached. */
export async function openReplayPublisher(brokers: Brokers): Promise<ReplayPublisher> {
  const { publish, close } = await openOperatorPublisher(brokers, 'dead replay');
  return { publish: (messages) => publish(messages.map(outgoing)), close };
}

function outgoing({
  traceparent,
  body,
  routingKey,
  replayHeader,
  contentType,
  replyTo,
  correlationId,
  messageId,
}: ReplayMessage): OutgoingMessage {
  return {
    exchange: defaultNames.exchange,
    routingKey,
    body,
    mandatory: true,
    properties: {
      headers: { [REPLAY_HEADER]: replayHeader, ...(traceparent === undefined ? {} : { traceparent }) },
      ...(contentType === null ? {} : { contentType }),
      ...(replyTo === null ? {} : { replyTo }),
      ...(correlationId === null ? {} : { correlationId }),
      ...(messageId === null ? {} : { messageId }),
    },
  };
}
