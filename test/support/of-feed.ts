import { fingerprint } from '../../src/domain/cdr.ts';
import type { Confinement } from '../../src/domain/confinement.ts';
import type { Lookup } from '../../src/domain/lookup.ts';
import type { CallSubmission } from '../../src/domain/submission.ts';
import { admitted, type Parameters } from './persisting.ts';

/** Keys of the customers of `billingDatabase`. */
export const keysOfFeeds = `insert into customer_keys (kind, key, customer) values
  ('account', 'one', 1), ('account', 'two', 2), ('trunk', 'one', 2)`;

export interface OfFeed {
  source?: string;
  /** Of scustomer, in place of the account. */
  kind?: string;
  account?: string;
  /** Of dcustomer, in place of the same account. */
  called?: string;
  peerName?: string;
  confinement?: Confinement;
}

/** A call as a feed's record becomes one: 0 stands for what has to be looked up. */
export function ofFeed(parameters: Parameters, more: OfFeed = {}): CallSubmission {
  const { source = 'fs-1', kind = 'account', account = 'one', called, peerName, confinement } = more;
  const submission = admitted({ ...parameters, scustomer: 0, dcustomer: 0 });
  if (submission.kind !== 'call') throw new Error('expected a call');
  const { cdr } = submission.call;
  const at = cdr.start;
  const lookups: Lookup[] = [
    { parameter: 'scustomer', kind, key: account, at },
    { parameter: 'dcustomer', kind, key: called ?? account, at },
    ...(peerName === undefined ? [] : [{ parameter: 'peer' as const, name: peerName }]),
  ];
  const feed = { source, lookups };
  const call = {
    ...submission.call,
    feed,
    fingerprint: fingerprint(cdr, feed),
    confinement: confinement ?? null,
  };
  return { ...submission, call };
}
