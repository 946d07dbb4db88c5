import { LRUCache } from 'lru-cache';

const WINDOW_MS = 300_000;
/** Failures of one user from one address, and of one address whoever it claims to be. */
const USER_LIMIT = 5;
const ADDRESS_LIMIT = 50;
const REMEMBERED = 10_000;

/** Slows guessing down: after so many failures within five minutes nothing is looked at until they are over. */
export class SignInLimit {
  readonly #now: () => number;
  readonly #failures = new LRUCache<string, number[]>({ max: REMEMBERED });

  /** @param now monotonic milliseconds */
  constructor(now: () => number) {
    this.#now = now;
  }

  isBlocked(username: string, address: string): boolean {
    return this.#recent(`${address} ${username}`) >= USER_LIMIT || this.#recent(address) >= ADDRESS_LIMIT;
  }

  failed(username: string, address: string): void {
    for (const key of [`${address} ${username}`, address]) {
      const kept = (this.#failures.get(key) ?? []).slice(-ADDRESS_LIMIT);
      this.#failures.set(key, [...kept, this.#now()]);
    }
  }

  #recent(key: string): number {
    const after = this.#now() - WINDOW_MS;
    return (this.#failures.get(key) ?? []).filter((at) => at > after).length;
  }
}
