import { randomBytes } from 'node:crypto';
import { entryIdOfLetter, problemOfOwnId } from '../domain/correction.ts';
import { correctedBody, countingBody } from '../domain/kept.ts';
import type { Operation } from '../domain/operation.ts';
import { RECORD_HEAD_BYTES, RECORD_TYPE, recordEdits, writeRecordReplay } from '../domain/record-replay.ts';
import { tokenHashOf, writeReplayHeader } from '../domain/replay-header.ts';
import type { Mark, Replayable } from '../store/dead-letters/mark.ts';

/** A replayed dead letter as it is published. Its reply goes where the switch first asked for it. */
export interface ReplayMessage {
  body: Buffer;
  routingKey: string;
  replayHeader: string;
  contentType: string | null;
  replyTo: string | null;
  correlationId: string | null;
  /** Of a correction, whose entry gets it as its id. */
  messageId: string | null;
  /** The trace of the original message (W3C Trace Context). */
  traceparent?: string;
}

/** Of a one-time token: 256 random bits. */
const TOKEN_BYTES = 32;

/** A one-time token, base64url. */
export function newToken(): string {
  return randomBytes(TOKEN_BYTES).toString('base64url');
}

/** The same for several messages: their bits are drawn at once, because each drawing takes as long as reading a body. */
export function newTokens(count: number): string[] {
  const bits = randomBytes(TOKEN_BYTES * count);
  return Array.from({ length: count }, (_, at) =>
    bits.toString('base64url', TOKEN_BYTES * at, TOKEN_BYTES * (at + 1)),
  );
}

/** The next attempt of a dead letter: the message to publish, and the mark that makes the worker accept its token. */
export function nextAttempt(row: Replayable, token: string): { mark: Mark; message: ReplayMessage } {
  const { id, replays, edits, mendedBody, status, operation, properties, uniqueid } = row;
  const { body: text, contentType } = replayBody(row);
  const body = Buffer.from(text);
  const { replyTo = null, correlationId, messageId, traceparent } = properties;
  return {
    mark: { id, replays, edits, mendedBody, status, tokenHash: tokenHashOf(token, body) },
    message: {
      body,
      replayHeader: writeReplayHeader({ deadLetter: id, attempt: replays + 1, token }),
      contentType,
      routingKey: routingKeyOf(operation, properties),
      replyTo,
      // The same fallbacks as in the first reply.
      correlationId: correlationId || messageId || uniqueid,
      messageId: entryIdFor(row),
      ...(traceparent !== undefined && { traceparent }),
    },
  };
}

/** What a replay is sent with. An unroutable call had a mistyped routing key: it gets the right one. */
export function routingKeyOf(operation: Operation, { routingKey = '' }: Replayable['properties']): string {
  const key = `cdrs.${operation}`;
  return routingKey === key || routingKey.startsWith(`${key}.`) ? routingKey : key;
}

/**
 * The id that the entry of a correction gets, null for a call: that of its message. One without a fit id gets its dead
 * letter's, the same in each replay, so that it is booked once all the same.
 */
export function entryIdFor({
  id,
  operation,
  properties,
}: Pick<Replayable, 'id' | 'operation' | 'properties'>): string | null {
  if (operation === 'create') return null;
  const { messageId = null } = properties;
  return problemOfOwnId(messageId) === null ? messageId : entryIdOfLetter(id);
}

/** A record is mapped again by the worker, so that mending the sources file mends what died of it. */
function replayBody(row: Replayable) {
  const { source, edits, properties } = row;
  const { body } = countingBody(row);
  if (source === null) return correctedBody({ body, contentType: properties.contentType ?? null }, edits);
  return {
    body: writeRecordReplay({ source, edits: recordEdits(edits), text: body }),
    contentType: RECORD_TYPE,
  };
}

/** Whether the worker takes a message of this size. */
export function isTooLarge({ body, contentType }: ReplayMessage, maxBodyBytes: number): boolean {
  return body.length > maxBodyBytes + (contentType === RECORD_TYPE ? RECORD_HEAD_BYTES : 0);
}
