import { looksSecret, maskCallText, maskText } from './secrets.ts';
import { clean, cut } from './text.ts';

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

/** An address for replies that had to be changed is none. */
export function keptProperties(properties: RequestProperties): KeptProperties {
  const { contentType, replyTo, correlationId, messageId, routingKey, traceparent } = properties;
  return {
    contentType: kept(contentType),
    replyTo: kept(replyTo) === replyTo ? replyTo : null,
    correlationId: kept(correlationId),
    messageId: kept(messageId),
    routingKey: kept(routingKey) ?? '',
    ...(traceparent !== undefined && { traceparent }),
  };
}

/** What AMQP lets a short string have. */
const LENGTH_MAX = 255;

function kept(text: string | null): string | null {
  if (text === null) return null;
  const hasSecret = /[:=]/.test(text) && looksSecret(text);
  return cut(clean(hasSecret ? maskText(text).text : maskCallText(text)), LENGTH_MAX);
}
