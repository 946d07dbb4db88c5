import { readFileSync } from 'node:fs';
import { ConfigError } from './config.ts';
import type { Feed } from './sources/feed.ts';
import { problemText, readSources } from './sources/load.ts';

/**
 * The feeds of the file that SOURCES_FILE names. Throws ConfigError where there is none, or with a line for everything
 * that is wrong in it.
 */
export function readSourcesFile(path: string): readonly Feed[] {
  if (path === '') throw new ConfigError('SOURCES_FILE is missing: expected the path of a sources file');
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch {
    throw new ConfigError(`SOURCES_FILE: expected a readable file, got ${JSON.stringify(path)}`);
  }
  const sources = readSources(text);
  if (sources.kind === 'feeds') return sources.feeds;
  throw new ConfigError(sources.problems.map((each) => `${path}: ${problemText(each)}`).join('\n'));
}

/** The feeds of a program that works without any: none without a file. Throws ConfigError as above. */
export function feedsIn(path: string): readonly Feed[] {
  return path === '' ? [] : readSourcesFile(path);
}

/** The same where calls are told to an exchange, which may be that of no feed: its messages would come in again as records. */
export function feedsBeside(billedExchange: string, path: string): readonly Feed[] {
  const feeds = feedsIn(path);
  const same = feeds.find(({ spec }) => spec.exchange === billedExchange);
  if (same === undefined) return feeds;
  throw new ConfigError(
    `BILLED_EXCHANGE: expected an exchange of no feed, got ${JSON.stringify(billedExchange)}, which is that of ${same.name}`,
  );
}
