import { median } from './numbers.ts';
import { type Ratios, ratiosOf } from './ratios.ts';
import type { Results } from './results.ts';

interface Goal {
  what: string;
  of: keyof Ratios;
  /** Whether more is better. */
  atLeast: boolean;
  goal: number;
  moonshot: number;
}

/** What the project aims at, each as a figure of one run. */
const goals: readonly Goal[] = [
  { what: 'ratio of the worker to the idiom', of: 'idiom', atLeast: true, goal: 30, moonshot: 50 },
  {
    what: 'ratio of the worker to the limit that its parts add up to',
    of: 'limit',
    atLeast: true,
    goal: 0.6,
    moonshot: 0.85,
  },
  { what: 'charged CDRs per core-second', of: 'charged', atLeast: true, goal: 6000, moonshot: 10_000 },
  {
    what: 'p99 at 200/s: ratio of the worker to the idiom',
    of: 'p99At200',
    atLeast: false,
    goal: 0.1,
    moonshot: 0.05,
  },
  {
    what: 'p99: ratio of the worker at 1,000/s to the idiom at 200/s',
    of: 'p99At1000',
    atLeast: false,
    goal: 0.1,
    moonshot: 0.05,
  },
  {
    what: 'rate of two workers to that of one, half a core each, one hot customer',
    of: 'twoHot',
    atLeast: true,
    goal: 1.8,
    moonshot: 1.95,
  },
  {
    what: 'rate of two workers to that of one, half a core each, no hot customer',
    of: 'twoEven',
    atLeast: true,
    goal: 1.8,
    moonshot: 1.95,
  },
  {
    what: 'rate of replays to that of ordinary calls',
    of: 'replayed',
    atLeast: true,
    goal: 0.5,
    moonshot: 1,
  },
  {
    what: 'database CPU per call: ratio of the largest table to an empty one',
    of: 'grown',
    atLeast: false,
    goal: 1.3,
    moonshot: 1.1,
  },
  {
    what: 'peak memory of the worker on a backlog, MiB',
    of: 'memory',
    atLeast: false,
    goal: 250,
    moonshot: 150,
  },
  {
    what: 'kB that a message leaves behind in a full batch',
    of: 'garbage',
    atLeast: false,
    goal: 12,
    moonshot: 8,
  },
  { what: 'kB that a batch of one leaves behind', of: 'loneGarbage', atLeast: false, goal: 80, moonshot: 40 },
];

/** The goals with what one run came to; only those that it measured. */
export function goalRows(results: Results): string[][] {
  const ratios = ratiosOf(results);
  return goals.flatMap(({ what, of, atLeast, goal, moonshot }) => {
    const values = ratios[of].values;
    if (values.length === 0) return [];
    // Of memory the peak counts, not the median.
    const value = of === 'memory' ? Math.max(...values) : median(values);
    const reaches = (limit: number) => (atLeast ? value >= limit : value <= limit);
    const verdict = reaches(moonshot) ? 'moonshot' : reaches(goal) ? 'reached' : 'missed';
    const limit = (number: number) => `${atLeast ? '≥' : '≤'} ${number.toLocaleString('en-US')}`;
    const shown = value.toLocaleString('en-US', { maximumFractionDigits: value < 100 ? 2 : 0 });
    return [[what, limit(goal), limit(moonshot), shown, verdict]];
  });
}
