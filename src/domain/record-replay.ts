import { z } from 'zod';
import { type Edits, isEditable } from './kept.ts';

/** The content type of a replayed record: a line of JSON, then the record as its feed wrote it. */
export const RECORD_TYPE = 'application/vnd.cdr-ingest.record';

/** Bytes that the line may have beside the largest record (MAX_BODY_BYTES). */
export const RECORD_HEAD_BYTES = 16_384;

/** A record of a dead letter as it is replayed, to be mapped again by the worker. */
export interface RecordReplay {
  /** The feed that it came by. */
  source: string;
  /** Parameters that an operator has set in place of what the map says. */
  edits: Edits;
  text: string;
}

export function writeRecordReplay({ source, edits, text }: RecordReplay): string {
  return `${JSON.stringify({ source, set: edits })}\n${text}`;
}

const head = z.strictObject({
  source: z.string(),
  set: z.record(z.string().refine(isEditable), z.string()),
});

/** Null for anything else that a producer may have sent with that content type. */
export function readRecordReplay(body: string): RecordReplay | null {
  const end = body.indexOf('\n');
  if (end < 0) return null;
  let given: unknown;
  try {
    given = JSON.parse(body.slice(0, end));
  } catch {
    return null;
  }
  const read = head.safeParse(given);
  if (!read.success) return null;
  return { source: read.data.source, edits: read.data.set, text: body.slice(end + 1) };
}
