import { expect, it } from 'vitest';
import { delivery, pipelineWith, refused } from './ideal-world.ts';
import { settled } from './scheduler.ts';

it('a message that cannot even be kept stays in hand beside the others, until it can be', async () => {
  const acknowledged: string[] = [];
  const told: string[] = [];
  let isRefused = true;
  const pipeline = pipelineWith({
    admit: ({ name }) => ({ ...refused, uniqueid: name }),
    prepare: (entries) => async () => {
      if (isRefused && entries.some(({ uniqueid }) => uniqueid === 'one')) throw new Error('refused');
      return entries.map(() => ({ kind: 'unauthenticated' }));
    },
    acknowledge: (deliveries) => acknowledged.push(...deliveries.map(({ name }) => name)),
    observe: ({ kind }) => told.push(kind),
  });
  for (const name of ['one', 'two', 'three']) pipeline.accept(delivery(name));
  await pipeline.idle();
  expect(acknowledged).toEqual(['two', 'three']);
  expect(told).toContain('unkeepable');
  expect(pipeline.waiting).toBe(1);
  isRefused = false;
  while (pipeline.waiting > 0) await settled();
  await pipeline.idle();
  expect(acknowledged).toEqual(['two', 'three', 'one']);
});

it('a message that cannot even be kept is forgotten once the broker has it again', async () => {
  let isAlive = true;
  const pipeline = pipelineWith({
    prepare: () => () => Promise.reject(new Error('refused')),
    isLive: () => isAlive,
    acknowledge: () => expect.fail('nothing was kept'),
  });
  pipeline.accept(delivery('one'));
  await pipeline.idle();
  expect(pipeline.waiting).toBe(1);
  isAlive = false;
  while (pipeline.waiting > 0) await settled();
});

it('gives up replies that nobody confirms, once the broker has their messages again', async () => {
  let isAlive = true;
  const pipeline = pipelineWith({
    publish: async (replies) => {
      isAlive = false;
      return replies.map(() => 'failed');
    },
    isLive: () => isAlive,
    acknowledge: () => expect.fail('nothing was confirmed'),
  });
  pipeline.accept(delivery('one'));
  await pipeline.idle();
});

it('tells who waits for it to be idle that it has failed', async () => {
  const failure = new Error('unexpected');
  const pipeline = pipelineWith({
    observe: () => {
      throw failure;
    },
  });
  pipeline.accept(delivery('one'));
  await expect(pipeline.idle()).rejects.toBe(failure);
});
