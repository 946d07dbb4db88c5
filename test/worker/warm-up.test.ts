import { afterEach, expect, it, vi } from 'vitest';
import { Isolation } from '../../src/worker/isolation.ts';
import { Pipeline } from '../../src/worker/pipeline.ts';
import { warmUp } from '../../src/worker/warm-up.ts';
import { BILLING } from '../support/billing.ts';

const LONG_MS = 60_000;

afterEach(() => {
  vi.restoreAllMocks();
});

it('made-up calls take the way of real ones: stored and charged, recognized, refused', async () => {
  const replies = await warmUp(BILLING, { rounds: 2, limitMs: LONG_MS });
  expect(replies).toHaveLength(520);
  const charged = replies.filter(({ headers }) => headers.charged !== undefined && !headers.duplicate);
  const duplicates = replies.filter(({ headers }) => headers.duplicate);
  const refused = replies.filter(({ accepted }) => !accepted);
  expect(charged.length).toBeGreaterThan(400);
  expect(duplicates.length).toBeGreaterThan(40);
  expect(refused.length).toBeGreaterThan(0);
  expect(charged.length + duplicates.length + refused.length).toBe(520);
});

it('the first of them make a full batch, as those of a backlog do', async () => {
  const persist = vi.spyOn(Isolation.prototype, 'persist');
  await warmUp(BILLING, { rounds: 1, limitMs: LONG_MS });
  expect(persist.mock.calls.map(([batch]) => batch.length)).toEqual([500, ...Array(20).fill(1)]);
});

it.each(['hold', 'next'] as const)('late calls may be treated either way: %s', async (lateCalls) => {
  const replies = await warmUp({ ...BILLING, lateCalls }, { rounds: 1, limitMs: LONG_MS });
  expect(replies.filter(({ accepted }) => accepted).length).toBeGreaterThan(400);
});

it('ends when its time is up, although rounds are left', async () => {
  const began = performance.now();
  await warmUp(BILLING, { rounds: Number.POSITIVE_INFINITY, limitMs: 50 });
  expect(performance.now() - began).toBeLessThan(LONG_MS);
});

it('ends when the worker is told to stop', async () => {
  const stopping = new AbortController();
  const warm = warmUp(BILLING, { rounds: Number.POSITIVE_INFINITY, limitMs: LONG_MS * 60 }, stopping.signal);
  stopping.abort();
  await warm;
});

it('a pipeline that never ends holds up nothing', async () => {
  vi.spyOn(Pipeline.prototype, 'idle').mockReturnValue(new Promise(() => undefined));
  await warmUp(BILLING, { rounds: 1, limitMs: 50 });
});

it('a pipeline that fails is no reason not to start', async () => {
  vi.spyOn(Pipeline.prototype, 'idle').mockRejectedValue(new Error('broken'));
  await expect(warmUp(BILLING, { rounds: 1, limitMs: LONG_MS })).resolves.toEqual([]);
});
