/**
 * A value of a call that the store has to find: the customer that a key of a kind belongs to at a time (Unix seconds,
 * `customer_keys`), or a peer by its name.
 */
export type Lookup =
  | { parameter: 'scustomer' | 'dcustomer'; kind: string; key: string; at: number }
  | { parameter: 'peer'; name: string };
