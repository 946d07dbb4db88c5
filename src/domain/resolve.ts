import type { Cdr } from './cdr.ts';
import type { FeedOfCall, Lookup } from './lookup.ts';
import { printable } from './printable.ts';
import { shorten, shown } from './text.ts';
import type { ParameterError } from './validate.ts';

/** What the database has for the lookups of a batch. One that is missing here was not found. */
export interface FoundLookups {
  /** Customers by `keyAt`; several where the key belongs to more than one at that time. */
  customers: ReadonlyMap<string, readonly number[]>;
  /** Peers by name; several where they share one. */
  peers: ReadonlyMap<string, readonly number[]>;
}

/** Calls that came by no feed have nothing to look up. */
interface OfFeed {
  feed?: FeedOfCall;
}

/** Tells the keys of a batch apart: whose a key is depends on when the call started. */
export function keyAt(kind: string, key: string, start: number): string {
  return `${start} ${kind.length} ${kind}${key}`;
}

/**
 * Puts what was found into a call of a feed, and notes what was not. From its lookups and nothing else, so that a call
 * that was resolved before is resolved again.
 */
export function resolve<Call extends OfFeed & { cdr: Cdr }>(call: Call, found: FoundLookups): Call {
  const { cdr, feed } = call;
  if (feed === undefined || feed.lookups.length === 0) return call;
  const resolved = { ...cdr };
  const unresolved = new Map<string, string>();
  for (const lookup of feed.lookups) {
    const ids = foundFor(lookup, cdr.start, found);
    resolved[lookup.parameter] = ids.length === 1 ? (ids[0] ?? 0) : 0;
    if (ids.length !== 1) unresolved.set(lookup.parameter, problemOf(lookup, cdr.start, ids.length));
  }
  return { ...call, cdr: resolved, feed: { ...feed, unresolved } };
}

function foundFor(lookup: Lookup, start: number, { customers, peers }: FoundLookups): readonly number[] {
  const ids =
    lookup.parameter === 'peer'
      ? peers.get(lookup.name)
      : customers.get(keyAt(lookup.kind, lookup.key, start));
  return ids ?? [];
}

function problemOf(lookup: Lookup, start: number, count: number): string {
  if (lookup.parameter === 'peer')
    return count === 0
      ? `no peer is called ${shown(lookup.name)}`
      : `several peers are called ${shown(lookup.name)}`;
  const key = `the ${printable(shorten(lookup.kind, 40))} ${shown(lookup.key)} at ${isoOf(start)}`;
  return count === 0 ? `no customer has ${key}` : `several rows of customer_keys have ${key}`;
}

function isoOf(start: number): string {
  return new Date(start * 1000).toISOString().replace('.000Z', 'Z');
}

/** Whether a parameter of the call has a lookup that found nothing, or too much. */
export function isUnresolved({ feed }: OfFeed, parameter: string): boolean {
  return feed?.unresolved?.has(parameter) === true;
}

/** What to say of the lookups that failed: once of a key that is both the caller's and the called customer's. */
export function unresolvedErrors({ feed }: OfFeed): ParameterError[] {
  const errors = [...(feed?.unresolved ?? [])].map(([key, message]) => ({ key, message }));
  const caller = errors.find(({ key }) => key === 'scustomer');
  return errors.filter(({ key, message }) => key !== 'dcustomer' || message !== caller?.message);
}
