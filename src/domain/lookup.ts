/**
 * A value of a call that the store has to find: the customer that a key of a kind belongs to at a time (Unix seconds,
 * `customer_keys`), or a peer by its name.
 */
export type Lookup =
  | { parameter: 'scustomer' | 'dcustomer'; kind: string; key: string; at: number }
  | { parameter: 'peer'; name: string };

/** By which feed a call came, and what of it the store has to find: `cdr` has 0 in the place of each until then. */
export interface FeedOfCall {
  source: string;
  lookups: readonly Lookup[];
  /** Once the store has looked: what is wrong with lookups that gave no value, by parameter. */
  unresolved?: ReadonlyMap<string, string>;
}
