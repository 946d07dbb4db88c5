import { isAscii } from 'node:buffer';
import { type DeadLetter, deadLetterOfRecord } from '../domain/dead-letter.ts';
import { type KeptBody, keepUnreadable } from '../domain/dead-letter-body.ts';
import { Failure } from '../sources/failure.ts';
import type { Feed } from '../sources/feed.ts';
import { type Mapped, mapRecord } from '../sources/map.ts';
import { isSameCall, maskRecord } from '../sources/mask.ts';
import { decode, isNew, type KeepingRules, type Request } from './request.ts';

/**
 * What a dead letter keeps of a record: its text, for a replay maps it again. The record is mapped here once more, because
 * what was mapped before does not stay while the message is in hand.
 *
 * @param isVerified whether the feed's user was looked at and may submit calls
 */
export function feedDeadLetterFor(
  request: Request,
  feed: Feed,
  rules: KeepingRules,
  isVerified: boolean,
): DeadLetter {
  const decoded = decode(asUtf8(request), rules.maxBodyBytes);
  const facts = { source: feed.name, submittedBy: feed.spec.as };
  if (decoded.kind !== 'text') {
    const kept = keepUnreadable(request.body, request.bytes, rules.keptBodyBytes);
    // Nobody can say in which words it was written: it is never mapped.
    const whole = { ...facts, fields: {}, hasMoney: false, kept: { ...kept, altered: [''] } };
    return deadLetterOfRecord(request, whole, request.properties, isVerified);
  }
  const mapped = mapRecord(feed, decoded.text);
  const kept = keptRecord(feed, decoded.text, mapped);
  const told = { ...facts, fields: fieldsOf(mapped), hasMoney: hasMoney(mapped), kept };
  return { ...deadLetterOfRecord(request, told, request.properties, isVerified), isNew: isNew(request) };
}

/** The same of bytes alone: mapping the record may be what ends workers. */
export function plainFeedDeadLetter(request: Request, { name, spec }: Feed, rules: KeepingRules): DeadLetter {
  return unmappedDeadLetter(request, name, spec.as, rules.keptBodyBytes);
}

/** The same of a feed that the file lacks: only its name is known. */
export function unknownFeedDeadLetter(request: Request, source: string, rules: KeepingRules): DeadLetter {
  return unmappedDeadLetter(request, source, null, rules.maxBodyBytes);
}

function unmappedDeadLetter(
  request: Request,
  source: string,
  submittedBy: string | null,
  keptBytes: number,
): DeadLetter {
  const kept = keepUnreadable(request.body, request.bytes, keptBytes);
  const facts = { source, submittedBy, fields: {}, hasMoney: false, kept };
  return deadLetterOfRecord(request, facts, request.properties, false);
}

/** Without a declared charset where every byte is ASCII, which is the same text in each. */
function asUtf8(request: Request): Request {
  return isAscii(request.body)
    ? { ...request, properties: { ...request.properties, contentType: null } }
    : request;
}

function keptRecord(feed: Feed, text: string, mapped: Mapped): KeptBody {
  // PostgreSQL has no NUL.
  const body = maskRecord(feed, text, mapped).replaceAll('\0', '\uFFFD');
  // Another file may read what cannot be read today, and would then read what stands in the place of a secret.
  const isReadable = !(feed.read(text) instanceof Failure);
  const isSame = body === text || (isReadable && isSameCall(mapped, mapRecord(feed, body)));
  return { body, altered: isSame ? [] : [''] };
}

function fieldsOf(mapped: Mapped) {
  return mapped.kind === 'skip' ? {} : mapped.fields;
}

/** A cost that is mapped and could not be read is unknown, and so is one in an unknown currency. */
function hasMoney(mapped: Mapped): boolean {
  if (mapped.kind !== 'unmapped') return mapped.kind === 'call';
  return mapped.fields.cost !== undefined && mapped.errors.every(({ key }) => key !== 'currency');
}
