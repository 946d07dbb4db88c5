import * as z from 'zod';
import type { ParameterName } from './contract.ts';
import { type Edits, isEditable } from './kept.ts';

/** The content type of a replayed record: a line of JSON, then the record as its feed wrote it. */
export const RECORD_TYPE = 'application/vnd.cdr-ingest.record';

/** Bytes that the line may have beside the largest record (MAX_BODY_BYTES). */
export const RECORD_HEAD_BYTES = 16_384;

/** What an operator set of a record in place of what the map says. */
export type RecordEdits = Readonly<Partial<Record<ParameterName, string>>>;

/** Of a record nothing else can be corrected: what it lacks or calls differently is the sources file's to say. */
export function recordEdits(edits: Edits): RecordEdits {
  return Object.fromEntries(
    Object.entries(edits).filter(([name, value]) => isEditable(name) && value !== null),
  );
}

/** A record of a dead letter as it is replayed, to be mapped again by the worker. */
export interface RecordReplay {
  /** The feed that it came by. */
  source: string;
  edits: RecordEdits;
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
