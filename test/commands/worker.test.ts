import { expect, it } from 'vitest';
import { untilEnded } from '../../src/commands/worker.ts';

const NEVER = new Promise<never>(() => undefined);

function recorded() {
  const lines: string[] = [];
  const log = { fatal: (_: object, message?: string) => void lines.push(`fatal: ${message}`) };
  return { lines, log, stop: async () => void lines.push('stops') };
}

it('a worker that is told to stop drains, and its process ends with 0', async () => {
  const { lines, log, stop } = recorded();
  expect(await untilEnded({ failure: NEVER, stop }, Promise.resolve(), log)).toBe(0);
  expect(lines).toEqual(['stops']);
});

it('a worker that cannot go on gives back what it has in hand, and its process ends with 1', async () => {
  const { lines, log, stop } = recorded();
  const failure = Promise.reject(new Error('a bug'));
  expect(await untilEnded({ failure, stop }, NEVER, log)).toBe(1);
  expect(lines).toEqual(['fatal: this worker cannot go on', 'stops']);
});

it('a worker that cannot be stopped in order ends all the same', async () => {
  const { lines, log } = recorded();
  const stop = () => Promise.reject(new Error('a bug'));
  expect(await untilEnded({ failure: NEVER, stop }, Promise.resolve(), log)).toBe(1);
  expect(lines).toEqual(['fatal: this worker cannot go on']);
});
