import { ConfigError } from '../config.ts';
import type { Feed } from '../sources/feed.ts';
import { uniqueidRule } from '../sources/uniqueid-rule.ts';
import { recordSourceRules } from '../store/source-rules.ts';
import type { Sql } from '../store/sql.ts';

/** Finds a feed of the sources file. */
export interface FeedLookup {
  /** By the exchange that a message was published to. */
  feedOf: (exchange: string) => Feed | undefined;
  /** By its name, which is on record with its calls and dead letters. */
  feedNamed: (name: string) => Feed | undefined;
}

/** The feeds that are in force. Another reading of the sources file replaces all of them at once. */
export class Feeds implements FeedLookup {
  #byExchange: ReadonlyMap<string, Feed> = new Map();
  #byName: ReadonlyMap<string, Feed> = new Map();

  constructor(feeds: readonly Feed[]) {
    this.replace(feeds);
  }

  replace(feeds: readonly Feed[]): void {
    this.#byExchange = new Map(feeds.map((feed) => [feed.spec.exchange, feed]));
    this.#byName = new Map(feeds.map((feed) => [feed.name, feed]));
  }

  get all(): readonly Feed[] {
    return [...this.#byName.values()];
  }

  feedOf = (exchange: string): Feed | undefined => this.#byExchange.get(exchange);

  feedNamed = (name: string): Feed | undefined => this.#byName.get(name);
}

/**
 * Records how the feeds make uniqueids. Throws ConfigError where one makes them by another rule than is on record and that is
 * not accepted, and what the database throws.
 */
export async function recordUniqueidRules(
  sql: Sql,
  feeds: readonly Feed[],
  acceptsOthers: boolean,
): Promise<void> {
  const rules = feeds.map((feed) => ({
    source: feed.name,
    exchange: feed.spec.exchange,
    uniqueid: uniqueidRule(feed),
  }));
  const different = await recordSourceRules(sql, rules, acceptsOthers);
  if (different.length === 0) return;
  throw new ConfigError(
    `SOURCES_FILE: expected the rule for uniqueid that is on record, got another one for ${different.join(', ')}: ` +
      'records that are sent again would be charged again. If they are not, start one worker with --accept-new-uniqueids',
  );
}
