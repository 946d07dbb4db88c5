import { LRUCache } from 'lru-cache';
import { nodeOfDirectAddress } from './direct-address.ts';

/** What is remembered of addresses, at most; of 255 bytes each they take a few megabytes. */
const ADDRESSES = 10_000;
/** Far more than a cluster has nodes. */
const NODES = 64;
/** A node that was cut off from the cluster may be back after this. */
const BAD_MS = 60_000;

/** What an address may do, as far as one knows. */
export type Standing =
  /** A reply to it was confirmed. */
  | 'proven'
  /** New, of a node that has confirmed replies: nothing is known of such a one that closes a connection. */
  | 'likely'
  /** Well formed, of a node that nothing is known of. */
  | 'unknown'
  /** It made the broker close a connection. */
  | 'closing'
  /** No RabbitMQ has given it out. */
  | 'malformed';

/** Which direct reply addresses worked, and which closed a connection; bounded in number. */
export class DirectMemory {
  /** The node of each proven address. */
  readonly #proven = new LRUCache<string, string>({ max: ADDRESSES });
  readonly #nodes = new LRUCache<string, true>({ max: NODES });
  readonly #closing = new LRUCache<string, true>({ max: ADDRESSES, ttl: BAD_MS });

  isProven(address: string): boolean {
    const node = this.#proven.get(address);
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
  worked(address: string): void {
    const node = nodeOfDirectAddress(address);
    if (node === null) return;
    this.#proven.set(address, node);
    this.#nodes.set(node, true);
  }

  /** Sent alone, it made the broker close the connection. */
  closed(address: string): void {
    this.#proven.delete(address);
    this.#closing.set(address, true);
  }

  /** The broker closed a connection over one of several: all of their nodes must be proven again. */
  doubt(addresses: Iterable<string>): void {
    for (const address of addresses) {
      const node = nodeOfDirectAddress(address);
      if (node !== null) this.#nodes.delete(node);
    }
  }
}
