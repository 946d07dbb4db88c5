import { LRUCache } from 'lru-cache';
import type { Confinement } from '../domain/confinement.ts';
import { copied } from './copied.ts';

/** A user as stored; `passwordHash` is what `hashPassword` made. */
export interface KnownUser {
  username: string;
  passwordHash: string;
  role: string;
  active: boolean;
  confinement: Confinement | null;
}

/** The users of these names that exist, by name. Rejects with what the database rejects with. */
export type ReadUsers = (usernames: readonly string[]) => Promise<ReadonlyMap<string, KnownUser>>;

/** Who a name stands for, null for nobody, as of a moment in milliseconds. */
interface Row<User> {
  user: User;
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
  /** Apart from the names that are nobody's, so that a storm of invented ones drives no user out. */
  readonly #users: LRUCache<string, Row<KnownUser>>;
  readonly #nobodies: LRUCache<string, Row<null>>;
  #running: Batch | undefined;
  #next: Batch | undefined;
  #idle: Promise<unknown> = Promise.resolve();

  constructor(readUsers: ReadUsers, now: () => number, size: number) {
    this.#readUsers = readUsers;
    this.#now = now;
    this.#users = new LRUCache({ max: size });
    this.#nobodies = new LRUCache({ max: size });
  }

  /** At once where the name was read lately. Rejects when it cannot be read. */
  get(username: string): KnownUser | null | Promise<KnownUser | null> {
    const row = this.#users.get(username);
    if (row !== undefined && this.#now() - row.readAt < STALE_MS) return row.user;
    const nobody = row === undefined ? this.#nobodies.get(username) : undefined;
    if (nobody !== undefined && this.#now() - nobody.readAt < UNKNOWN_MS) return null;
    const running = this.#running?.usernames.has(username) ? this.#running : undefined;
    const batch = running ?? this.#nextBatch([username]);
    return batch.rows.then((users) => users.get(username) ?? null);
  }

  /** Reads every known user again. Rejects when they cannot be read; then the rows only grow stale. */
  async refresh(): Promise<void> {
    const known = [...this.#users.keys()];
    if (known.length > 0) await this.#nextBatch(known).rows;
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
      for (const username of usernames.reverse()) this.#remember(username, users.get(username), readAt);
      return users;
    } finally {
      this.#running = undefined;
    }
  }

  #remember(username: string, user: KnownUser | undefined, readAt: number): void {
    if (user !== undefined) {
      this.#users.set(user.username, { user, readAt });
      this.#nobodies.delete(username);
      return;
    }
    this.#users.delete(username);
    this.#nobodies.set(copied(username), { user: null, readAt });
  }
}
