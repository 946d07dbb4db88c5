import { maskCallText, maskText } from './masking.ts';
import { looksSecret } from './secrets.ts';
import { clean, cut } from './text.ts';

/** The AMQP properties of a request that its reply, or a replay, needs; as received. */
export interface RequestProperties {
  contentType: string | null;
  replyTo: string | null;
  correlationId: string | null;
  messageId: string | null;
  routingKey: string;
  /** The trace of the sender (W3C Trace Context), if it gave one. */
  traceparent?: string;
  /** The correlation id, else the message id, byte for byte, if it is not valid UTF-8. The reply carries it back. */
  correlationBytes?: Buffer;
  /**
   * The same of an AMQP 1.0 sender if it is binary or longer than 255 bytes: RabbitMQ hands it on as a header, and the reply
   * carries it back as one.
   */
  correlationHeader?: string | Buffer;
}

/** The same as a dead letter keeps them: cleaned like the texts of a call, since anybody may have sent them. */
export type KeptProperties = Omit<RequestProperties, 'correlationBytes' | 'correlationHeader'>;

/** A reply address that cleaning changes is dropped: it would be another queue. */
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

/** Characters of an AMQP short string. */
const LENGTH_MAX = 255;

function kept(text: string | null): string | null {
  if (text === null) return null;
  const hasSecret = /[:=]/.test(text) && looksSecret(text);
  return cut(clean(hasSecret ? maskText(text).text : maskCallText(text)), LENGTH_MAX);
}
