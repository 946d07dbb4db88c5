import { LRUCache } from 'lru-cache';

/** A user as stored; `passwordHash` is what `hashPassword` made. */
export interface KnownUser {
  username: string;
  passwordHash: string;
  role: string;
  active: boolean;
}

/** The users of these names that exist, by name. Rejects with what the database rejects with. */
export type ReadUsers = (usernames: readonly string[]) => Promise<ReadonlyMap<string, KnownUser>>;

/** Who a name stands for, null for nobody, as of a moment in milliseconds. */
interface Row {
  user: KnownUser | null;
  readAt: number;
}

interface Batch {
  usernames: Set<string>;
  rows: Promise<ReadonlyMap<string, KnownUser>>;
}

/** A row older than this is read again before it counts: a change is noticed within 60 s though refreshing fails. */
const STALE_MS = 50_000;
/** Nobody yet may be somebody soon. */
const UNKNOWN_MS = 10_000;

/**
 * Users by name, as fresh as a changed or disabled user must be noticed. One query at a time: names that are
 * wanted while it runs share the next one.
 */
export class UserCache {
  readonly #readUsers: ReadUsers;
  readonly #now: () => number;
  readonly #rows: LRUCache<string, Row>;
  #running: Batch | undefined;
  #next: Batch | undefined;
  #idle: Promise<unknown> = Promise.resolve();

  constructor(readUsers: ReadUsers, now: () => number, size: number) {
    this.#readUsers = readUsers;
    this.#now = now;
    this.#rows = new LRUCache({ max: size });
  }

  /** At once where the name was read lately. Rejects when it cannot be read. */
  get(username: string): KnownUser | null | Promise<KnownUser | null> {
    const row = this.#rows.get(username);
    if (row !== undefined && this.#now() - row.readAt < (row.user === null ? UNKNOWN_MS : STALE_MS))
      return row.user;
    const running = this.#running?.usernames.has(username) ? this.#running : undefined;
    const batch = running ?? this.#nextBatch([username]);
    return batch.rows.then((users) => users.get(username) ?? null);
  }

  /** Reads every known user again. Rejects when they cannot be read; then the rows only grow stale. */
  async refresh(): Promise<void> {
    const known = [...this.#rows.entries()].filter(([, { user }]) => user !== null);
    if (known.length > 0) await this.#nextBatch(known.map(([username]) => username)).rows;
  }

  #nextBatch(usernames: readonly string[]): Batch {
    this.#next ??= this.#plan();
    for (const username of usernames) this.#next.usernames.add(username);
    return this.#next;
  }

  #plan(): Batch {
    const usernames = new Set<string>();
    const rows = this.#idle.then(() => this.#read());
    this.#idle = rows.catch(() => undefined);
    return { usernames, rows };
  }

  async #read(): Promise<ReadonlyMap<string, KnownUser>> {
    const batch = this.#next;
    this.#next = undefined;
    this.#running = batch;
    const usernames = [...(batch?.usernames ?? [])];
    const readAt = this.#now();
    try {
      const users = await this.#readUsers(usernames);
      // Those used last come first in a refresh, and what is set last is forgotten last.
      for (const username of usernames.reverse())
        this.#rows.set(username, { user: users.get(username) ?? null, readAt });
      return users;
    } finally {
      this.#running = undefined;
    }
  }
}
