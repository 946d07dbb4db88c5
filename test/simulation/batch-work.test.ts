import { expect, it } from 'vitest';
import { pipelineWith, request } from './ideal-world.ts';

it('settles, answers and acknowledges what came in one turn of the event loop as one batch each', async () => {
  const settled: number[] = [];
  const published: number[] = [];
  const acknowledged: number[] = [];
  const pipeline = pipelineWith({
    settle: async (entries) => {
      settled.push(entries.length);
      return entries.map(() => ({ kind: 'unauthenticated' }));
    },
    publish: async (replies) => {
      published.push(replies.length);
      return replies.map(() => 'confirmed');
    },
    acknowledge: (deliveries) => acknowledged.push(deliveries.length),
  });
  // One more than two batches of ten.
  for (let number = 0; number < 21; number += 1) pipeline.accept(`delivery ${number}`, request);
  await pipeline.idle();
  expect({ settled, published, acknowledged }).toEqual({
    settled: [10, 10, 1],
    published: [10, 10, 1],
    acknowledged: [10, 10, 1],
  });
});
