import { correctedBody } from '../domain/kept.ts';
import { tokenHashOf, writeReplayHeader } from '../domain/replay-header.ts';
import type { Mark, Replayable } from '../store/dead-letters/mark.ts';
import { keptCall } from './corrections.ts';

/** A dead letter on its way through the switch client; what answers it is what the switch first asked for. */
export interface ReplayMessage {
  body: Buffer;
  routingKey: string;
  replayHeader: string;
  contentType: string | null;
  replyTo: string | null;
  correlationId: string | null;
  /** The trace that the switch was in. */
  traceparent?: string;
}

/** The message that sends a dead letter again with the replay header of its next attempt, and the mark that makes it good. */
export function messageOf(row: Replayable, token: string): { mark: Mark; message: ReplayMessage } {
  const { id, replays, edits, status, properties, uniqueid } = row;
  const { body: text, contentType } = correctedBody(keptCall(row), edits);
  const body = Buffer.from(text);
  const replayHeader = writeReplayHeader({ deadLetter: id, attempt: replays + 1, token });
  const { routingKey = '', replyTo = null, correlationId, messageId, traceparent } = properties;
  return {
    mark: { id, replays, edits, status, tokenHash: tokenHashOf(token, body) },
    message: {
      body,
      replayHeader,
      contentType,
      // A mistyped key is what made an unroutable call one.
      routingKey: /^cdrs\.create(\.|$)/.test(routingKey) ? routingKey : 'cdrs.create',
      replyTo,
      // As the first reply had it: the message id and the uniqueid stand in for one that is missing.
      correlationId: correlationId || messageId || uniqueid,
      ...(traceparent !== undefined && { traceparent }),
    },
  };
}
