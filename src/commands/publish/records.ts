import type { Feed } from '../../sources/feed.ts';
import { mapRecord } from '../../sources/map.ts';
import type { FeedSpec } from '../../sources/schema.ts';
import { type NativeText, readNativeFile } from '../source/records.ts';
import { encodeExactly } from '../utf8.ts';
import type { Outgoing } from './send.ts';

const CONTENT_TYPES: Readonly<Record<FeedSpec['format'], string>> = {
  json: 'application/json',
  form: 'application/x-www-form-urlencoded',
  csv: 'text/csv',
  positional: 'text/plain',
};

/**
 * The records of native files, as their switch would send them: bytes as they are, without credentials. Those that the feed
 * skips are only counted, since no worker would answer them; those that cannot be mapped become dead letters.
 */
export async function* recordsToSend(
  files: readonly string[],
  feed: Feed,
  onSkipped: () => void,
  signal: AbortSignal,
): AsyncGenerator<Outgoing> {
  for (const file of files)
    for await (const record of readNativeFile(file, feed.spec, signal)) {
      if (record.problem === undefined && mapRecord(feed, record.text).kind === 'skip') onSkipped();
      else yield outgoingOf(feed, record, file);
    }
}

export function outgoingOf({ spec }: Feed, { line, text }: NativeText, file: string): Outgoing {
  return {
    where: `${file}: line ${line}`,
    probe: { body: encodeExactly(text), contentType: CONTENT_TYPES[spec.format] },
    // A direct exchange drops what has none of its keys; others take any.
    routingKey: spec.keys?.[0] ?? 'cdrs.create',
  };
}
