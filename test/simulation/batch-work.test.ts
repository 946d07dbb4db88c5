import { expect, it } from 'vitest';
import { databaseError } from './fake-database.ts';
import { delivery, pipelineWith, refused } from './ideal-world.ts';
import { settled } from './scheduler.ts';

it('persists, answers and acknowledges what was admitted in one turn of the event loop in full batches', async () => {
  const persisted: number[] = [];
  const published: number[] = [];
  const acknowledged: number[] = [];
  const pipeline = pipelineWith({
    prepare: (entries) => async () => {
      persisted.push(entries.length);
      // A database answers in a later turn.
      await settled();
      return entries.map(() => ({ kind: 'unauthenticated' }));
    },
    publish: async (replies) => {
      published.push(replies.length);
      return replies.map(() => 'confirmed');
    },
    acknowledge: (deliveries) => acknowledged.push(deliveries.length),
  });
  // One more than two batches of ten.
  for (let number = 0; number < 21; number += 1) pipeline.accept(delivery(`delivery ${number}`));
  await pipeline.idle();
  expect({ persisted, published, acknowledged }).toEqual({
    persisted: [10, 10, 1],
    published: [10, 10, 1],
    acknowledged: [10, 10, 1],
  });
});

it('prepares a full batch while the one before is persisted, and leaves what does not fill one to grow', async () => {
  const prepared: number[] = [];
  let begin = (): void => undefined;
  const begun = new Promise<void>((resolve) => {
    begin = resolve;
  });
  let release = (): void => undefined;
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  const pipeline = pipelineWith({
    prepare: (entries) => {
      prepared.push(entries.length);
      return async () => {
        begin();
        await held;
        return entries.map(() => ({ kind: 'unauthenticated' }));
      };
    },
  });
  pipeline.accept(delivery('first'));
  await begun;
  for (let number = 0; number < 9; number += 1) pipeline.accept(delivery(`delivery ${number}`));
  await settled();
  expect(prepared).toEqual([1]);
  for (let number = 9; number < 15; number += 1) pipeline.accept(delivery(`delivery ${number}`));
  await settled();
  expect(prepared).toEqual([1, 10]);
  release();
  await pipeline.idle();
  expect(prepared).toEqual([1, 10, 5]);
});

it('hears that a batch is written before it has admitted all of many deliveries', async () => {
  let admitted = 0;
  const admittedWhenBegun: number[] = [];
  const admittedWhenWritten: number[] = [];
  const pipeline = pipelineWith({
    admit: () => {
      admitted += 1;
      return refused;
    },
    prepare: (entries) => async () => {
      admittedWhenBegun.push(admitted);
      await settled();
      admittedWhenWritten.push(admitted);
      return entries.map(() => ({ kind: 'unauthenticated' }));
    },
  });
  for (let number = 0; number < 1000; number += 1) pipeline.accept(delivery(`delivery ${number}`));
  await pipeline.idle();
  expect(admittedWhenBegun[0]).toBeLessThan(100);
  expect(admittedWhenBegun.length).toBe(100);
  expect(admittedWhenWritten[0]).toBeLessThan(400);
  expect(admitted).toBe(1000);
});

it('admits nothing whose channel is gone before its turn', async () => {
  const admitted: string[] = [];
  let isLive = true;
  const pipeline = pipelineWith({
    admit: ({ name }) => {
      admitted.push(name);
      isLive = admitted.length < 40;
      return refused;
    },
    isLive: () => isLive,
  });
  for (let number = 0; number < 100; number += 1) pipeline.accept(delivery(`delivery ${number}`));
  await pipeline.idle();
  expect(admitted).toHaveLength(40);
});

it('fails if admission throws, and tells whoever waits for it to be idle', async () => {
  const pipeline = pipelineWith({
    admit: () => {
      throw new Error('beyond all expectation');
    },
  });
  pipeline.accept(delivery('first'));
  await expect(pipeline.failure).rejects.toThrow('beyond all expectation');
  await expect(pipeline.idle()).rejects.toThrow('beyond all expectation');
});

it('persists no more batches while replies to three of them are on their way', async () => {
  let persisted = 0;
  let published = 0;
  const pipeline = pipelineWith({
    prepare: (entries) => async () => {
      persisted += 1;
      await settled();
      return entries.map(() => ({ kind: 'unauthenticated' }));
    },
    publish: () => {
      published += 1;
      return new Promise(() => undefined);
    },
  });
  for (let number = 0; number < 200; number += 1) pipeline.accept(delivery(`delivery ${number}`));
  for (let times = 0; times < 20; times += 1) await settled();
  expect({ persisted, published }).toEqual({ persisted: 4, published: 4 });
});

it('sends the next batch to the database before it replies to the one before', async () => {
  const order: string[] = [];
  let batches = 0;
  const pipeline = pipelineWith({
    prepare: (entries) => {
      batches += 1;
      const name = `batch ${batches}`;
      return async () => {
        order.push(`write ${name}`);
        await settled();
        return entries.map(() => ({ kind: 'unauthenticated' }));
      };
    },
    publish: async (replies) => {
      order.push(`reply to ${replies.length}`);
      return replies.map(() => 'confirmed');
    },
  });
  for (let number = 0; number < 20; number += 1) pipeline.accept(delivery(`delivery ${number}`));
  await pipeline.idle();
  expect(order).toEqual(['write batch 1', 'write batch 2', 'reply to 10', 'reply to 10']);
});

it('looks up no more than one batch a round while the database is in trouble, however much has arrived', async () => {
  const lookedUp: number[] = [];
  let failures = 2;
  const pipeline = pipelineWith({
    prepare: (entries, manner = 'ordinary') => {
      if (manner === 'ordinary') lookedUp.push(entries.length);
      return async () => {
        failures -= 1;
        if (failures >= 0) throw databaseError('53100', 'no space left');
        return entries.map(() => ({ kind: 'unauthenticated' }));
      };
    },
  });
  for (let number = 0; number < 35; number += 1) pipeline.accept(delivery(`delivery ${number}`));
  await pipeline.idle();
  // Two batches before anything has failed, and one in each of two rounds; the rest is persisted without lookups ahead.
  expect(lookedUp).toEqual([10, 10, 10, 10]);
});

it.each([
  ['outcomes', { prepare: () => async () => [{ kind: 'unauthenticated' as const }] }],
  ['confirms', { publish: async () => ['confirmed' as const] }],
])('fails rather than give messages the %s of others where some are missing', async (_, ports) => {
  const acknowledged: unknown[] = [];
  const pipeline = pipelineWith({ ...ports, acknowledge: (deliveries) => acknowledged.push(...deliveries) });
  for (const name of ['one', 'two']) pipeline.accept(delivery(name));
  await expect(pipeline.idle()).rejects.toThrow('1 answers to 2 questions');
  expect(acknowledged).toEqual([]);
});
