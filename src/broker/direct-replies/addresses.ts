import { LRUCache } from 'lru-cache';

/** Every address of RabbitMQ's direct reply-to begins with this. */
export const DIRECT_PREFIX = 'amq.rabbitmq.reply-to.';

/** Base64 of an Erlang process id, a dot, base64 of a key of 16 bytes. */
const FORM = /^((?:[A-Za-z0-9+/]{4})+(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?)\.[A-Za-z0-9+/]{22}==$/;

/** First byte of Erlang's external term format. */
const TERM = 131;
/** By tag of a process id: bytes after the name of its node. */
const AFTER_NODE = new Map([
  [88, 12],
  [103, 9],
]);
/** By tag of an atom: bytes of its length. */
const LENGTH_BYTES = new Map([
  [100, 2],
  [115, 1],
  [118, 2],
  [119, 1],
]);

/**
 * The node that a direct reply address names; null for an address that no RabbitMQ has issued. RabbitMQ up to
 * 4.1 decodes an address (base64, then Erlang's external term format) and closes the connection if it cannot.
 * Up to 3.9 the process id names its node, from 3.10 on `reply@` and a hash of the node's name. RabbitMQ 3
 * closes the connection over an unknown node too; that cannot be told from here.
 */
export function nodeOfDirectAddress(address: string): string | null {
  if (!address.startsWith(DIRECT_PREFIX)) return null;
  const encoded = FORM.exec(address.slice(DIRECT_PREFIX.length))?.[1];
  if (encoded === undefined) return null;
  const term = Buffer.from(encoded, 'base64');
  const after = term[0] === TERM ? AFTER_NODE.get(term[1] ?? 0) : undefined;
  const lengthBytes = LENGTH_BYTES.get(term[2] ?? 0);
  if (after === undefined || lengthBytes === undefined) return null;
  const start = 3 + lengthBytes;
  if (term.length < start) return null;
  const end = start + term.readUIntBE(3, lengthBytes);
  if (term.length !== end + after) return null;
  const node = term.toString('utf8', start, end);
  return /^[^@]+@[^@]+$/.test(node) ? node : null;
}

/** Most addresses to remember. At 255 bytes each they take a few megabytes. */
const ADDRESSES_MAX = 10_000;
/** Far more than a cluster has nodes. */
const NODES_MAX = 64;
/** How long an address that closed a connection is avoided: a node that was cut off may be back by then. */
const CLOSING_MS = 60_000;

/** What is known of an address. */
export type Standing =
  /** A reply to it was confirmed. */
  | 'proven'
  /** New, on a node that has confirmed replies. No such address is known to close a connection. */
  | 'likely'
  /** Well formed, on a node of which nothing is known. */
  | 'unknown'
  /** It made the broker close a connection. */
  | 'closing'
  /** No RabbitMQ has issued it. */
  | 'malformed';

/** Remembers which direct reply addresses work and which close a connection; bounded in number. */
export class KnownAddresses {
  /** The node of each address to which a reply was confirmed. */
  readonly #confirmed = new LRUCache<string, string>({ max: ADDRESSES_MAX });
  /** Nodes with such an address. */
  readonly #nodes = new LRUCache<string, true>({ max: NODES_MAX });
  readonly #closing = new LRUCache<string, true>({ max: ADDRESSES_MAX, ttl: CLOSING_MS });

  isProven(address: string): boolean {
    const node = this.#confirmed.get(address);
    return node !== undefined && this.#nodes.get(node) === true;
  }

  standing(address: string): Standing {
    if (this.isProven(address)) return 'proven';
    if (this.#closing.get(address)) return 'closing';
    const node = nodeOfDirectAddress(address);
    if (node === null) return 'malformed';
    return this.#nodes.get(node) ? 'likely' : 'unknown';
  }

  /** A reply to it was confirmed. */
  confirmed(address: string): void {
    const node = nodeOfDirectAddress(address);
    if (node === null) return;
    this.#confirmed.set(address, node);
    this.#nodes.set(node, true);
  }

  /** Sent alone, a reply to it made the broker close the connection. */
  closed(address: string): void {
    this.#confirmed.delete(address);
    this.#closing.set(address, true);
  }

  /** One of these made the broker close a connection: all their nodes must be proven again. */
  doubt(addresses: Iterable<string>): void {
    for (const address of addresses) {
      const node = nodeOfDirectAddress(address);
      if (node !== null) this.#nodes.delete(node);
    }
  }
}
