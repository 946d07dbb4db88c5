import { hash } from 'node:crypto';
import { type CallParameters, callParameterNames, parameterRow, parameters, taxItems } from './contract.ts';
import type { FeedOfCall, Lookup } from './lookup.ts';
import { PlainJson } from './plain-json.ts';

/** Parameters whose default depends on another parameter or on the system. */
type Relational = 'dcustomer' | 'callid' | 'currency' | 'end' | 'talktime' | 'totaltime';

/** A completed call as the contract describes it, every default resolved. Times are Unix seconds. */
export interface Cdr extends Omit<CallParameters, Relational> {
  dcustomer: number;
  callid: string;
  currency: string;
  end: number;
  talktime: number;
  totaltime: number;
}

export type CdrField = keyof Cdr;

/** The fields of a call in the order of the contract. */
export const cdrFields: readonly CdrField[] = callParameterNames;

/**
 * Resolves the defaults that depend on other parameters and on the system currency (source contract, table): in what was read
 * itself, because a copy of some thirty values for each message would be garbage at once.
 */
export function toCdr(read: CallParameters, systemCurrency: string): Cdr {
  read.dcustomer ??= read.scustomer;
  read.callid ??= read.uniqueid;
  read.currency ??= systemCurrency;
  read.end ??= read.start;
  read.talktime ??= read.end - read.start;
  read.totaltime ??= read.end - read.start;
  return read as Cdr;
}

/** Fixed defaults by field; null where there is none or where it depends on the call itself. */
const fixedDefaults: ReadonlyMap<CdrField, unknown> = new Map(
  cdrFields.map((name) => [
    name,
    parameterRow(name)?.required ? null : parameters.shape[name].parse(undefined),
  ]),
);

/** Stands in front of what is hashed; raised when the way of computing changes. */
const FINGERPRINT_VERSION = 1;

/**
 * SHA-256 (hex) of what the call says: its values after defaults, number forms and cleaning are resolved, so
 * that the same content has the same fingerprint however it was written. Values equal to a fixed default are
 * left out, so that a parameter added later does not change the fingerprint of calls that do not use it.
 *
 * Of a call of a feed it is of what the feed said: the feed's name, and in place of a value that has to be looked up what it
 * is looked up by. So it stays the same when a key changes hands, and never is that of a call in the contract's form.
 */
export function fingerprint(cdr: Cdr, feed?: FeedOfCall): string {
  const plain = feed === undefined ? plainContent(cdr) : undefined;
  return hash('sha256', plain ?? JSON.stringify(contentOf(cdr, feed)), 'hex');
}

function contentOf(cdr: Cdr, feed: FeedOfCall | undefined): unknown[] {
  const content: unknown[] = [FINGERPRINT_VERSION];
  if (feed !== undefined) content.push('source', feed.source);
  for (const name of cdrFields) {
    const value = cdr[name];
    const lookup = feed?.lookups.find(({ parameter }) => parameter === name);
    if (lookup !== undefined) content.push(name, lookedUpBy(lookup));
    else if (value !== fixedDefaults.get(name))
      content.push(name, name === 'taxes' ? taxSet(cdr.taxes) : value);
  }
  return content;
}

/** For all calls but those with very long texts. */
const plainJson = new PlainJson(8192);
const contentStart = `[${FINGERPRINT_VERSION}`;
const contentNames = cdrFields.map((name) => ({
  name,
  json: `,"${name}",`,
  fixedDefault: fixedDefaults.get(name),
}));

/**
 * The bytes of the JSON of `contentOf`, valid until the next call; undefined where a text has more than plain ASCII. Without it a
 * list and two texts of each message are left behind, 4 KB.
 */
function plainContent(cdr: Cdr): Uint8Array | undefined {
  plainJson.start(contentStart);
  for (const { name, json, fixedDefault } of contentNames) {
    const value = cdr[name];
    if (value === fixedDefault) continue;
    plainJson.add(json);
    if (typeof value === 'number') plainJson.addWhole(value);
    else plainJson.addText(name === 'taxes' ? taxSet(value) : value);
  }
  return plainJson.end(']');
}

/** A list, which no value of a call is. */
function lookedUpBy(lookup: Lookup): readonly string[] {
  return lookup.parameter === 'peer' ? [lookup.name] : [lookup.kind, lookup.key];
}

/** Taxes are compared as a set (interface, section 4). */
export function taxSet(taxes: string): string {
  const items = taxItems(taxes);
  // Mostly they are in order: sorting makes a list of its own.
  return (isInOrder(items) ? items : items.sort()).join(',');
}

function isInOrder(items: readonly string[]): boolean {
  return items.every((item, place) => place === 0 || (items[place - 1] ?? '') <= item);
}

export interface Difference {
  /** `source`: the feeds that two calls came by. */
  parameter: CdrField | 'source';
  stored: string | number;
  received: string | number;
}

/** In which parameters two calls of the same uniqueid differ; empty if they say the same. */
export function differences(stored: Cdr, received: Cdr): Difference[] {
  return cdrFields
    .filter((name) =>
      name === 'taxes' ? taxSet(stored.taxes) !== taxSet(received.taxes) : stored[name] !== received[name],
    )
    .map((name) => ({ parameter: name, stored: stored[name], received: received[name] }));
}
