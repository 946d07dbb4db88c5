import { expect, it } from 'vitest';
import type { Submission } from '../../src/domain/submission.ts';
import { pipelineWith, refused, request } from './ideal-world.ts';
import { persisted } from './scheduler.ts';

const uniqueidOf = (entry: Submission) => ('uniqueid' in entry ? entry.uniqueid : null);

it('a message that cannot even be kept stays in hand beside the others, until it can be', async () => {
  const acknowledged: string[] = [];
  const told: string[] = [];
  let isRefused = true;
  const pipeline = pipelineWith({
    admit: (_, delivery) => ({ ...refused, uniqueid: delivery }),
    prepare: (entries) => async () => {
      if (isRefused && entries.some((entry) => uniqueidOf(entry) === 'one')) throw new Error('refused');
      return entries.map(() => ({ kind: 'unauthenticated' }));
    },
    acknowledge: (deliveries) => acknowledged.push(...deliveries),
    observe: ({ kind }) => told.push(kind),
  });
  for (const delivery of ['one', 'two', 'three']) pipeline.accept(delivery, request);
  await pipeline.idle();
  expect(acknowledged).toEqual(['two', 'three']);
  expect(told).toContain('unkeepable');
  expect(pipeline.waiting).toBe(1);
  isRefused = false;
  while (pipeline.waiting > 0) await persisted();
  await pipeline.idle();
  expect(acknowledged).toEqual(['two', 'three', 'one']);
});

it('a message that cannot even be kept is forgotten once the broker has it again', async () => {
  let isAlive = true;
  const pipeline = pipelineWith({
    prepare: () => () => Promise.reject(new Error('refused')),
    alive: () => isAlive,
    acknowledge: () => expect.fail('nothing was kept'),
  });
  pipeline.accept('one', request);
  await pipeline.idle();
  expect(pipeline.waiting).toBe(1);
  isAlive = false;
  while (pipeline.waiting > 0) await persisted();
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
