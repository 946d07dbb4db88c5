import { LRUCache } from 'lru-cache';
import type { Confinement } from '../domain/confinement.ts';
import { copied } from './copied.ts';

/** A user as stored. */
export interface KnownUser {
  username: string;
  passwordHash: string;
  role: string;
  active: boolean;
  confinement: Confinement | null;
}

/** Reads those of these users that exist, by name. Rejects with the error of the database. */
export type ReadUsers = (usernames: readonly string[]) => Promise<ReadonlyMap<string, KnownUser>>;

interface Row<User> {
  user: User;
  /** Milliseconds. */
  readAt: number;
}

/** One query, for all names that were wanted while the query before it ran. */
interface Query {
  usernames: Set<string>;
  rows: Promise<ReadonlyMap<string, KnownUser>>;
}

/**
 * An older row is read again before use, so that a change takes effect within 60 s even if refreshing fails.
 */
const STALE_MS = 50_000;
/** How long a name is remembered as unknown: the user may be created any time. */
const UNKNOWN_MS = 10_000;

/**
 * Users by name, fresh enough that a changed or disabled user is noticed within a minute. One query at a
 * time: names that are wanted while it runs share the next one.
 */
export class UserCache {
  readonly #readUsers: ReadUsers;
  readonly #now: () => number;
  readonly #users: LRUCache<string, Row<KnownUser>>;
  /** In a cache of their own, so that a flood of invented names evicts no user. */
  readonly #unknown: LRUCache<string, Row<null>>;
  #running: Query | undefined;
  #next: Query | undefined;
  #idle: Promise<unknown> = Promise.resolve();

  constructor(readUsers: ReadUsers, now: () => number, size: number) {
    this.#readUsers = readUsers;
    this.#now = now;
    this.#users = new LRUCache({ max: size });
    this.#unknown = new LRUCache({ max: size });
  }

  /**
   * The user, null if there is none; not a promise if the name was read recently. Rejects when it cannot be
   * read.
   */
  get(username: string): KnownUser | null | Promise<KnownUser | null> {
    const row = this.#users.get(username);
    if (row !== undefined && this.#now() - row.readAt < STALE_MS) return row.user;
    const unknown = row === undefined ? this.#unknown.get(username) : undefined;
    if (unknown !== undefined && this.#now() - unknown.readAt < UNKNOWN_MS) return null;
    const running = this.#running?.usernames.has(username) ? this.#running : undefined;
    const query = running ?? this.#nextQuery([username]);
    return query.rows.then((users) => users.get(username) ?? null);
  }

  /** Reads every known user again. Rejects when they cannot be read; the rows then expire. */
  async refresh(): Promise<void> {
    const known = [...this.#users.keys()];
    if (known.length > 0) await this.#nextQuery(known).rows;
  }

  #nextQuery(usernames: readonly string[]): Query {
    this.#next ??= this.#plan();
    for (const username of usernames) this.#next.usernames.add(username);
    return this.#next;
  }

  #plan(): Query {
    const usernames = new Set<string>();
    const rows = this.#idle.then(() => this.#read());
    this.#idle = rows.catch(() => undefined);
    return { usernames, rows };
  }

  async #read(): Promise<ReadonlyMap<string, KnownUser>> {
    const query = this.#next;
    this.#next = undefined;
    this.#running = query;
    const usernames = [...(query?.usernames ?? [])];
    const readAt = this.#now();
    try {
      const users = await this.#readUsers(usernames);
      // A refresh lists the most recently used first. Set in reverse, they stay the last to be evicted.
      for (const username of usernames.reverse()) this.#remember(username, users.get(username), readAt);
      return users;
    } finally {
      this.#running = undefined;
    }
  }

  #remember(username: string, user: KnownUser | undefined, readAt: number): void {
    if (user !== undefined) {
      this.#users.set(user.username, { user, readAt });
      this.#unknown.delete(username);
      return;
    }
    this.#users.delete(username);
    this.#unknown.set(copied(username), { user: null, readAt });
  }
}
