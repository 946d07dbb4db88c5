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
  {
    what: 'ratio of the worker to the idiom, from the first message',
    of: 'idiomFromFirst',
    atLeast: true,
    goal: 35,
    moonshot: 50,
  },
  { what: 'ratio of the worker to the idiom, steady', of: 'idiom', atLeast: true, goal: 45, moonshot: 60 },
  {
    what: 'ratio of the worker to the limit that its parts add up to',
    of: 'limit',
    atLeast: true,
    goal: 0.75,
    moonshot: 0.85,
  },
  {
    what: 'charged CDRs per core-second: ratio of the worker to the idiom',
    of: 'chargedToIdiom',
    atLeast: true,
    goal: 40,
    moonshot: 60,
  },
  {
    what: 'seconds from the start of the worker to 90 % of its steady rate',
    of: 'full',
    atLeast: false,
    goal: 3,
    moonshot: 1,
  },
  {
    what: 'p99 / p50 of the worker at 200/s, first minute included',
    of: 'tailAt200',
    atLeast: false,
    goal: 2.5,
    moonshot: 2,
  },
  {
    what: 'p99 / p50 of the worker at 1,000/s, first minute included',
    of: 'tailAt1000',
    atLeast: false,
    goal: 2.5,
    moonshot: 2,
  },
  {
    what: 'p99 at 200/s, first minute included: ratio of the worker to the idiom',
    of: 'p99At200',
    atLeast: false,
    goal: 0.25,
    moonshot: 0.15,
  },
  {
    what: 'rate of replays to that of ordinary calls',
    of: 'replayed',
    atLeast: true,
    goal: 0.8,
    moonshot: 1,
  },
  {
    what: 'kB that a message leaves behind in a full batch',
    of: 'garbage',
    atLeast: false,
    goal: 12,
    moonshot: 8,
  },
  { what: 'kB that a batch of one leaves behind', of: 'loneGarbage', atLeast: false, goal: 80, moonshot: 40 },
  {
    what: 'peak memory of the worker on a backlog, MiB',
    of: 'memory',
    atLeast: false,
    goal: 180,
    moonshot: 128,
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
    what: 'database CPU per call: ratio of the largest table to an empty one',
    of: 'grown',
    atLeast: false,
    goal: 1.3,
    moonshot: 1.1,
  },
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
