import fc from 'fast-check';
import { Histogram, Registry } from 'prom-client';
import { expect, it } from 'vitest';
import { MessageHistogram } from '../../src/worker/message-histogram.ts';
import { fuzz } from '../domain/fuzzing.ts';

const NAME = 'seconds';
const HELP = 'Of "each"\\ message.';
const BOUNDS = [0.5, 1, 2.5];
const SETS = [
  { queue: 'one', operation: 'take' },
  { queue: 'an "other"', operation: 'take' },
];

it('shows what prom-client shows of the same observations', async () => {
  const value = fc.oneof(fc.constantFrom(-1, 0, ...BOUNDS, 3), fc.double({ noNaN: true, min: 0, max: 5 }));
  await fuzz(
    fc.asyncProperty(fc.array(fc.tuple(fc.nat(1), value)), async (observed) => {
      const theirs = new Registry();
      const labelNames = ['queue', 'operation'];
      const histogram = new Histogram({
        name: NAME,
        help: HELP,
        buckets: BOUNDS,
        labelNames,
        registers: [theirs],
      });
      for (const labels of SETS) histogram.zero(labels);
      const ours = new Registry();
      const own = new MessageHistogram(ours, NAME, HELP, BOUNDS);
      const tallies = SETS.map((labels) => own.labels(labels));
      for (const [set, seconds] of observed) {
        histogram.observe(SETS[set] ?? {}, seconds);
        tallies[set]?.observe(seconds);
      }
      expect(await ours.metrics()).toBe(await theirs.metrics());
      expect(await ours.getMetricsAsJSON()).toMatchObject([{ name: NAME, help: HELP, type: 'histogram' }]);
    }),
  );
});
