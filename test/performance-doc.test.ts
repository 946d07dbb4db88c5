import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { chartsOf } from '../bench/charts.ts';
import type { FeedRound } from '../bench/feed.ts';
import { feedTable } from '../bench/feed-table.ts';
import { report } from '../bench/report.ts';
import type { Results } from '../bench/results.ts';

const file = (path: string) => readFileSync(new URL(`../${path}`, import.meta.url), 'utf8');
const results = JSON.parse(file('bench/results/full.json')) as Results;

it('docs/performance.md shows the run whose every round is in bench/results/full.json', () => {
  expect(file('docs/performance.md')).toContain(report(results));
});

it('the charts are of that run', () => {
  expect(file('docs/images/performance.svg')).toBe(chartsOf(results));
});

it('what a feed costs is of the run whose every round is in bench/results/feed.json', () => {
  const rounds = JSON.parse(file('bench/results/feed.json')) as FeedRound[];
  expect(file('docs/performance.md')).toContain(feedTable(rounds));
});
