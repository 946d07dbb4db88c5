import { expect, it } from 'vitest';
import { drain } from '../../src/worker/queue-worker.ts';

/** Drains a worker whose pipeline becomes idle, or fails, as `idle` does; returns what was done, in order. */
async function draining(idle: () => Promise<void>, closing = Promise.resolve()) {
  const done: unknown[] = [];
  const consumer = {
    inFlight: 7,
    stopConsuming: async () => void done.push('stopped'),
    close: async () => {
      done.push('closed');
      await closing;
    },
  };
  const drained = drain(
    {
      queue: 'cdrs.create',
      consumer,
      pipeline: { idle },
      events: { flush: () => done.push('flushed') },
      log: { warn: (...line: unknown[]) => done.push(line) },
    },
    10,
  );
  await drained.catch((error) => done.push(error));
  return done;
}

const failure = new Error('no');

it('leaves without a word when everything in hand is acknowledged', async () => {
  expect(await draining(async () => undefined)).toEqual(['stopped', 'closed', 'flushed']);
});

it('says how much is left when the grace period is over, and leaves', async () => {
  expect(await draining(() => new Promise(() => undefined))).toEqual([
    'stopped',
    [
      { queue: 'cdrs.create', inFlight: 7 },
      'the grace period is over: messages in hand go back to the broker',
    ],
    'closed',
    'flushed',
  ]);
});

it('leaves and writes the lines of its last second where the pipeline or the broker fails meanwhile', async () => {
  const all = ['stopped', 'closed', 'flushed', failure];
  expect(await draining(() => Promise.reject(failure))).toEqual(all);
  expect(await draining(async () => undefined, Promise.reject(failure))).toEqual(all);
});
