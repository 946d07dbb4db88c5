import { expect, it } from 'vitest';
import { pipelineWith, request } from './ideal-world.ts';

it('gives up a message that cannot even be kept, once the broker has it again', async () => {
  let isAlive = true;
  let tries = 0;
  const pipeline = pipelineWith({
    prepare: () => async () => {
      tries += 1;
      if (tries === 5) isAlive = false;
      // Ends the test where nothing else would.
      if (tries === 50) return [{ kind: 'unauthenticated' }];
      throw new Error('refused');
    },
    alive: () => isAlive,
  });
  pipeline.accept('one', request);
  await pipeline.idle();
  expect(tries).toBe(5);
});

it('gives up replies that nobody confirms, once the broker has their messages again', async () => {
  let isAlive = true;
  const pipeline = pipelineWith({
    publish: async (replies) => {
      isAlive = false;
      return replies.map(() => 'failed');
    },
    alive: () => isAlive,
    acknowledge: () => expect.fail('nothing was confirmed'),
  });
  pipeline.accept('one', request);
  await pipeline.idle();
});

it('tells who waits for it to be idle that it has failed', async () => {
  const failure = new Error('unexpected');
  const pipeline = pipelineWith({
    observe: () => {
      throw failure;
    },
  });
  pipeline.accept('one', request);
  await expect(pipeline.idle()).rejects.toBe(failure);
});
