import { readdirSync, readFileSync } from 'node:fs';
import type { Feed } from '../../src/sources/feed.ts';
import { problemText, readSources } from '../../src/sources/load.ts';

const DIRECTORY = new URL('../../sources/', import.meta.url);

/** The presets of the repository. */
export const PRESETS = readdirSync(DIRECTORY).filter((name) => name.endsWith('.yaml'));

export function preset(name: string): string {
  return readFileSync(new URL(name, DIRECTORY), 'utf8');
}

/** The first feed of a sources file that must be right. */
export function feedIn(text: string): Feed {
  const sources = readSources(text);
  if (sources.kind === 'wrong') throw new Error(sources.problems.map(problemText).join('\n'));
  const [feed] = sources.feeds;
  if (feed === undefined) throw new Error('expected a feed');
  return feed;
}

/** What is wrong with a sources file, as the command line shows it; empty for a right one. */
export function problemsIn(text: string): string[] {
  const sources = readSources(text);
  return sources.kind === 'wrong' ? sources.problems.map(problemText) : [];
}
