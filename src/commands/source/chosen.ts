import { ConfigError } from '../../config.ts';
import type { Feed } from '../../sources/feed.ts';

/** The feed of this name, or the only one where none is named. Throws ConfigError. */
export function chosenFeed(feeds: readonly Feed[], name: string | undefined): Feed {
  const [first, ...others] = feeds;
  const feed = name === undefined ? first : feeds.find((each) => each.name === name);
  if (feed !== undefined && (name !== undefined || others.length === 0)) return feed;
  const names = feeds.map((each) => each.name).join(', ');
  throw new ConfigError(
    `--source: expected one of ${names}, got ${name === undefined ? 'none' : JSON.stringify(name)}`,
  );
}
