import type { RequestProperties } from '../../src/domain/properties.ts';

/** The properties of a message whose sender sets none. */
export const NO_PROPERTIES: RequestProperties = {
  contentType: null,
  replyTo: null,
  correlationId: null,
  messageId: null,
  routingKey: 'cdrs.create',
};
