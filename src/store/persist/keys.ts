import type { Call } from '../../domain/decide.ts';
import { type FoundLookups, keyAt } from '../../domain/resolve.ts';
import { clean } from '../../domain/text.ts';
import { NONE } from './references.ts';

/** A key of a customer at the start of a call. */
export interface WantedKey {
  kind: string;
  key: string;
  start: number;
}

/** What the calls of feeds in a batch have to be found by, each once. */
export interface WantedKeys {
  keys: readonly WantedKey[];
  peers: readonly string[];
}

/** SQL: the customers that a key belongs to at the start of a call, one row for each. */
export const ownersOf = (term: string) => `
      select owner.customer from customer_keys owner
      where owner.kind = ${term}.kind and owner.key = ${term}.key
        and (owner.valid_from is null or owner.valid_from <= to_timestamp(${term}.start))
        and (owner.valid_to is null or to_timestamp(${term}.start) < owner.valid_to)`;

/** Text that no column could hold, or that would have to be cut, is nobody's key: it is not asked for. */
const isKey = (text: string) => clean(text) === text;

export const NO_KEYS: WantedKeys = { keys: [], peers: [] };

export function wantedKeys(calls: readonly Call[]): WantedKeys {
  if (!calls.some(({ feed }) => feed !== undefined)) return NO_KEYS;
  const keys = new Map<string, WantedKey>();
  const peers = new Set<string>();
  for (const { cdr, feed } of calls) {
    for (const lookup of feed?.lookups ?? []) {
      if (lookup.parameter === 'peer') {
        if (isKey(lookup.name)) peers.add(lookup.name);
      } else if (isKey(lookup.key)) {
        const { kind, key } = lookup;
        keys.set(keyAt(kind, key, cdr.start), { kind, key, start: cdr.start });
      }
    }
  }
  return { keys: [...keys.values()], peers: [...peers] };
}

const NOTHING_FOUND: FoundLookups = { customers: NONE, peers: NONE };

/** What the database answered, in the form that calls are resolved with. */
export function foundLookups({ keys }: WantedKeys, { owners, namedPeers }: FoundKeys): FoundLookups {
  if (owners === undefined || namedPeers === undefined) return NOTHING_FOUND;
  const customers = owners.map(([position, customer]) => {
    const wanted = keys[position - 1];
    if (wanted === undefined) throw new Error(`the database answered for key ${position} of ${keys.length}`);
    return [keyAt(wanted.kind, wanted.key, wanted.start), customer] as const;
  });
  return { customers: listsOf(customers), peers: listsOf(namedPeers) };
}

/** What the database answered for keys; missing where it was not asked for any. */
interface FoundKeys {
  owners?: readonly [position: number, customer: number][];
  namedPeers?: readonly [name: string, id: number][];
}

function listsOf(entries: readonly (readonly [string, number])[]): Map<string, number[]> {
  const lists = new Map<string, number[]>();
  for (const [name, id] of entries) {
    const list = lists.get(name);
    if (list) list.push(id);
    else lists.set(name, [id]);
  }
  return lists;
}
