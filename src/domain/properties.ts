import { clean } from './text.ts';

/** AMQP properties of the request that answering it, or sending it again, needs; as they came. */
export interface RequestProperties {
  contentType: string | null;
  replyTo: string | null;
  correlationId: string | null;
  messageId: string | null;
  routingKey: string;
  /** Of the trace that the sender is in (W3C Trace Context), where it gave one. */
  traceparent?: string;
  /** What the reply carries back, byte for byte, where the correlation id (else the message id) is no UTF-8. */
  correlationBytes?: Buffer;
}

/** The same as a dead letter keeps them: texts of a stranger, made fit for storage as those of a call are. */
export type KeptProperties = Omit<RequestProperties, 'correlationBytes'>;

export function keptProperties(properties: RequestProperties): KeptProperties {
  const { contentType, replyTo, correlationId, messageId, routingKey, traceparent } = properties;
  return {
    contentType: cleaned(contentType),
    replyTo: cleaned(replyTo),
    correlationId: cleaned(correlationId),
    messageId: cleaned(messageId),
    routingKey: clean(routingKey),
    ...(traceparent !== undefined && { traceparent }),
  };
}

function cleaned(text: string | null): string | null {
  return text === null ? null : clean(text);
}
