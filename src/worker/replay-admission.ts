import { correctedBody, type Edits } from '../domain/kept.ts';
import type { Operation } from '../domain/operation.ts';
import {
  RECORD_HEAD_BYTES,
  RECORD_TYPE,
  type RecordReplay,
  readRecordReplay,
  recordEdits,
} from '../domain/record-replay.ts';
import { readReplayHeader, tokenHashOf } from '../domain/replay-header.ts';
import type { ParameterError } from '../domain/validate.ts';
import { maskedParameters } from '../sources/mask.ts';
import { type Admitted, admitVouched, type ReadingRules, refuseUnvouched } from './admission.ts';
import { admitVouchedRecord } from './feed-admission.ts';
import type { FeedLookup } from './feeds.ts';
import { deadLetterFor, decode, type Request } from './request.ts';

/** What admission needs to know about what an operator vouches for. */
export interface ReplayRules extends ReadingRules {
  feeds: Pick<FeedLookup, 'feedNamed'>;
  /** Who maps the records of feeds: it is told where its sources file lacks one. */
  program: 'worker' | 'command';
}

/**
 * A replay of a dead letter. The one-time token in its header stands in place of credentials; whether it is genuine is
 * found when the replay is persisted (`store/persist/replays.ts`). A header of another form is no credential at all.
 */
export function admitReplay(request: Request, header: unknown, rules: ReplayRules): Admitted {
  const replayHeader = readReplayHeader(header);
  if (replayHeader === null) return refuseUnvouched(request, rules);
  const { deadLetter: id, attempt, token } = replayHeader;
  const record = recordIn(request, rules.maxBodyBytes);
  const admitted = record === null ? admitVouched(request, rules) : admitRecordReplay(record, request, rules);
  return {
    ...admitted,
    // Only of a forged one: nothing in it is known to be of a feed.
    deadLetter: () => deadLetterFor(request, rules, false),
    replay: { deadLetter: id, attempt, tokenHash: tokenHashOf(token, request.body) },
  };
}

function recordIn(request: Request, maxBodyBytes: number): RecordReplay | null {
  if (request.properties.contentType !== RECORD_TYPE || request.bytes > request.body.length) return null;
  const decoded = decode(request, maxBodyBytes + RECORD_HEAD_BYTES);
  return decoded.kind === 'text' ? readRecordReplay(decoded.text) : null;
}

function admitRecordReplay(record: RecordReplay, request: Request, rules: ReplayRules): Admitted {
  const { source, edits, text } = record;
  const feed = rules.feeds.feedNamed(source);
  if (feed === undefined) {
    const message = `the feed ${JSON.stringify(source)} is not in SOURCES_FILE of this ${rules.program}`;
    return rejected([{ key: '', message }], request, rules);
  }
  const masked = maskedParameters(feed, text, edits);
  if (masked.length === 0) return admitVouchedRecord(text, feed, edits, request, rules);
  const message = 'was masked when the record was kept, because it may be a password, and must be set';
  return rejected(
    masked.map((key) => ({ key, message })),
    request,
    rules,
  );
}

function rejected(errors: readonly ParameterError[], request: Request, rules: ReplayRules): Admitted {
  return {
    kind: 'decided',
    outcome: { kind: 'rejected', errors },
    validationOnly: false,
    uniqueid: null,
    deadLetter: () => deadLetterFor(request, rules, false),
    cleaned: 0,
  };
}

/** What a dead letter keeps, as far as it is replayed. */
export interface KeptMessage {
  /** The feed that it came by; null for a call of the contract. */
  source: string | null;
  operation: Operation;
  /** The id that the entry of a correction gets. */
  messageId: string | null;
  /** The one that counts: an operator may have replaced it. */
  body: string;
  /** Of the original message. */
  contentType: string | null;
  edits: Edits;
}

/** A dead letter as admission would read it in a replay. */
export function admitKept(
  { source, operation, messageId, body, contentType, edits }: KeptMessage,
  rules: ReplayRules,
): Admitted {
  const kept = correctedBody({ body, contentType }, edits);
  const bytes = Buffer.from(source === null ? kept.body : body);
  const properties = {
    contentType: source === null ? kept.contentType : RECORD_TYPE,
    replyTo: null,
    correlationId: null,
    messageId,
    routingKey: `cdrs.${operation}`,
  };
  const request = { body: bytes, bytes: bytes.length, properties };
  return source === null
    ? admitVouched(request, rules)
    : admitRecordReplay({ source, edits: recordEdits(edits), text: body }, request, rules);
}
