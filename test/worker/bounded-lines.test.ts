import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { BoundedLines } from '../../src/worker/bounded-lines.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function recorded() {
  const written: string[] = [];
  const lines = new BoundedLines({
    line: (fields) => written.push(JSON.stringify(fields)),
    more: (count, codes) => written.push(`${count}: ${codes}`),
  });
  return { written, lines };
}

it('writes twenty lines a second about single messages, and one that counts the others', () => {
  const { written, lines } = recorded();
  for (let second = 0; second < 3; second += 1) {
    for (let i = 0; i < 500; i += 1) lines.write(i % 5 === 0 ? '401' : '400', () => ({ i }));
    expect(written.splice(0)).toEqual(Array.from({ length: 20 }, (_, i) => JSON.stringify({ i })));
    vi.advanceTimersByTime(1000);
    expect(written.splice(0)).toEqual(['480: 400 ×384, 401 ×96']);
  }
});

it('writes every line, and counts none, where there are few', () => {
  const { written, lines } = recorded();
  for (let i = 0; i < 60; i += 1) {
    lines.write('400', () => ({ i }));
    vi.advanceTimersByTime(60);
  }
  lines.flush();
  expect(written).toHaveLength(60);
});

it('counts what is left when it ends before the second does', () => {
  const { written, lines } = recorded();
  for (let i = 0; i < 21; i += 1) lines.write('400', () => ({ i }));
  lines.flush();
  expect(written.at(-1)).toBe('1: 400 ×1');
});
