import { hash } from 'node:crypto';
import {
  type ParameterName,
  type Parameters,
  parameterNames,
  parameterRow,
  parameters,
  taxItems,
} from './contract.ts';
import type { FeedOfCall, Lookup } from './lookup.ts';

/** Parameters whose default depends on another parameter or on the system. */
type Relational = 'dcustomer' | 'callid' | 'currency' | 'end' | 'talktime' | 'totaltime';

/** A completed call as the contract describes it, every default resolved. Times are Unix seconds. */
export interface Cdr extends Omit<Parameters, 'auth_username' | 'auth_password' | 'validation' | Relational> {
  dcustomer: number;
  callid: string;
  currency: string;
  end: number;
  talktime: number;
  totaltime: number;
}

export type CdrField = keyof Cdr;

const NOT_OF_THE_CALL: readonly ParameterName[] = ['auth_username', 'auth_password', 'validation'];

/** The fields of a call in the order of the contract. */
export const cdrFields = parameterNames.filter((name) => !NOT_OF_THE_CALL.includes(name)) as CdrField[];

/** Its copies have every field in place; what a rest pattern leaves is a hash table five times as large. */
const unset = Object.fromEntries(cdrFields.map((name): [string, unknown] => [name, null]));

/** Resolves the defaults that depend on other parameters and on the system currency (source contract, table). */
export function toCdr(given: Parameters, systemCurrency: string): Cdr {
  const call = { ...unset };
  for (const name of cdrFields) call[name] = given[name];
  const end = given.end ?? given.start;
  const duration = end - given.start;
  const resolved: Pick<Cdr, Relational> = {
    dcustomer: given.dcustomer ?? given.scustomer,
    callid: given.callid ?? given.uniqueid,
    currency: given.currency ?? systemCurrency,
    end,
    talktime: given.talktime ?? duration,
    totaltime: given.totaltime ?? duration,
  };
  return Object.assign(call, resolved) as unknown as Cdr;
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
  const content: unknown[] = [FINGERPRINT_VERSION];
  if (feed !== undefined) content.push('source', feed.source);
  for (const name of cdrFields) {
    const value = cdr[name];
    const lookup = feed?.lookups.find(({ parameter }) => parameter === name);
    if (lookup !== undefined) content.push(name, lookedUpBy(lookup));
    else if (value !== fixedDefaults.get(name))
      content.push(name, name === 'taxes' ? taxSet(cdr.taxes) : value);
  }
  return hash('sha256', JSON.stringify(content), 'hex');
}

/** A list, which no value of a call is. */
function lookedUpBy(lookup: Lookup): readonly string[] {
  return lookup.parameter === 'peer' ? [lookup.name] : [lookup.kind, lookup.key];
}

/** Taxes are compared as a set (interface, section 4). */
export function taxSet(taxes: string): string {
  return taxItems(taxes).sort().join(',');
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
