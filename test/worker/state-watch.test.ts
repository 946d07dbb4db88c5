import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { reportUnread, watch } from '../../src/worker/state-watch.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** Resolves what has been waited for. */
const turn = () => vi.advanceTimersByTimeAsync(0);

it('shows what was read before as long as nothing can be read', async () => {
  const answers: (number | null)[] = [1, null, null, 2];
  const shown: number[] = [];
  const { stop } = watch(
    async () => {
      const answer = answers.shift() ?? null;
      if (answer === null) throw new Error('the database is away');
      return answer;
    },
    (state) => shown.push(state),
    { everyMs: 100 },
  );
  await turn();
  expect(shown).toEqual([1]);
  await vi.advanceTimersByTimeAsync(200);
  expect(shown).toEqual([1]);
  await vi.advanceTimersByTimeAsync(100);
  expect(shown).toEqual([1, 2]);
  await stop();
});

it('reads once at a time, and leaves others so much of the database as it was told to', async () => {
  let begun = 0;
  const { look, stop } = watch(
    () => {
      begun += 1;
      return new Promise<void>((resolve) => void setTimeout(resolve, 30));
    },
    () => undefined,
    { everyMs: 10, rest: 10 },
  );
  look();
  await vi.advanceTimersByTimeAsync(29);
  expect(begun).toBe(1);
  // Read until 30, rested until 330.
  await vi.advanceTimersByTimeAsync(300);
  expect(begun).toBe(1);
  await vi.advanceTimersByTimeAsync(30);
  expect(begun).toBe(2);
  const stopped = stop();
  await vi.advanceTimersByTimeAsync(100);
  await stopped;
  expect(begun).toBe(2);
});

it('says why nothing can be read, once while that is the same', () => {
  const problems: string[] = [];
  const report = reportUnread({ warn: (fields: object) => void problems.push(JSON.stringify(fields)) });
  const denied = Object.assign(new Error(), {
    cause: { kind: 'postgres', originalCode: '42501', originalMessage: 'permission denied for table x' },
  });
  report(denied);
  report(denied);
  report(Object.assign(new Error(), { code: 'ECONNREFUSED' }));
  expect(problems).toEqual([
    '{"problem":"permission denied for table x (SQLSTATE 42501)"}',
    '{"problem":"Error ECONNREFUSED"}',
  ]);
});
