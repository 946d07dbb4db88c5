import { type DeadLetter, deadLetterOfBytes } from '../domain/dead-letter.ts';
import type { Feed } from '../sources/feed.ts';
import { mapRecord } from '../sources/map.ts';
import { decode, type KeepingRules, type Request } from './request.ts';

/** What a dead letter keeps of a feed's record: its native body, and what the map finds in it. */
export function feedDeadLetterFor(
  request: Request,
  feed: Feed,
  rules: KeepingRules,
  isVerified: boolean,
): DeadLetter {
  const mapped = mapRecord(feed, decode(request, rules.maxBodyBytes).text);
  const fields = mapped.kind === 'skip' ? {} : mapped.fields;
  return {
    ...deadLetterOfBytes(request, fields, request.properties, rules.maxBodyBytes),
    verified: isVerified,
    submittedBy: feed.spec.as,
  };
}
