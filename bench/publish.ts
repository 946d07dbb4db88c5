import { readFileSync, writeFileSync } from 'node:fs';
import { chartsOf } from './charts.ts';
import { feedTable } from './feed-table.ts';
import { abuseTable, report } from './report.ts';
import type { Results } from './results.ts';

const path = (name: string) => new URL(`../${name}`, import.meta.url);
/** The text between these two lines of a document is replaced with each run. */
const RUN = {
  document: 'docs/performance.md',
  begin: '<!-- the last full run -->\n',
  end: '\n<!-- end of the run -->',
};
const FEED = {
  document: 'docs/performance.md',
  begin: '<!-- the last run of --only feed -->\n',
  end: '\n<!-- end of the run -->',
};
const ABUSE = {
  document: 'docs/reliability.md',
  begin: '<!-- the last run of --only abuse -->\n',
  end: '\n<!-- end of the run -->',
};

/** Writes every round of a run as JSON, and its charts. A full run is also written to docs/performance.md. */
export function publish(results: Results, isPartial: boolean): void {
  if (isPartial) {
    writeFileSync(path('bench/results/partial.json'), json(results));
    writeFileSync(path('bench/results/partial.svg'), chartsOf(results));
    return;
  }
  writeFileSync(path('bench/results/full.json'), json(results));
  writeFileSync(path('docs/images/performance.svg'), chartsOf(results));
  put(RUN, report(results));
}

/** Writes the storms of a run to docs/reliability.md. */
export function publishAbuse(results: Results): void {
  writeFileSync(path('bench/results/abuse.json'), json(results.abuse));
  put(ABUSE, abuseTable(results.abuse));
}

/** Writes what a feed costs to docs/performance.md. */
export function publishFeed(results: Results): void {
  writeFileSync(path('bench/results/feed.json'), json(results.feed));
  put(FEED, feedTable(results.feed));
}

/** Writes which functions allocate most. */
export function publishAllocation(profile: string): void {
  writeFileSync(path('bench/results/allocation.md'), `${profile}\n`);
}

function json(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}

function put({ document, begin, end }: typeof RUN, text: string): void {
  const before = readFileSync(path(document), 'utf8');
  const from = before.indexOf(begin) + begin.length;
  const to = before.indexOf(end, from);
  writeFileSync(path(document), `${before.slice(0, from)}${text}${before.slice(to)}`);
}
