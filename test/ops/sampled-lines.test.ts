import { pino } from 'pino';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { SampledLines } from '../../src/ops/sampled-lines.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function recorded(level = 'info') {
  const written: string[] = [];
  const write = (line: string) => written.push(line.replace('"level":30,', '').trim());
  const log = pino({ level, base: null, timestamp: false }, { write });
  return { written, lines: new SampledLines(log, 'info', 'refused') };
}

it('writes the first line of each kind in a second, and one for each kind that counts the others', () => {
  const { written, lines } = recorded();
  for (let second = 0; second < 3; second += 1) {
    for (let i = 0; i < 500; i += 1) {
      const code = i % 5 === 0 ? '401' : '400';
      lines.write({ kind: { code }, fields: () => ({ i }), messages: 2 });
    }
    expect(written.splice(0)).toEqual([
      '{"code":"401","messages":2,"i":0,"msg":"refused"}',
      '{"code":"400","messages":2,"i":1,"msg":"refused"}',
    ]);
    vi.advanceTimersByTime(1000);
    expect(written.splice(0)).toEqual([
      '{"code":"401","count":99,"messages":198,"msg":"refused, more of them"}',
      '{"code":"400","count":399,"messages":798,"msg":"refused, more of them"}',
    ]);
  }
});

it('writes lines of twenty kinds in a second, and one that counts all others', () => {
  const { written, lines } = recorded();
  for (let second = 0; second < 2; second += 1) {
    for (let i = 0; i < 10_000; i += 1) lines.write({ kind: { keys: [`invented ${i}`] } });
    expect(written.splice(0)).toHaveLength(20);
    vi.advanceTimersByTime(1000);
    expect(written.splice(0)).toEqual(['{"kind":"others","count":9980,"msg":"refused, more of them"}']);
  }
});

it('writes every line, and counts none, where there are few', () => {
  const { written, lines } = recorded();
  for (let i = 0; i < 10; i += 1) {
    lines.write({ kind: {}, fields: () => ({ i }) });
    vi.advanceTimersByTime(1000);
  }
  lines.flush();
  expect(written).toEqual(Array.from({ length: 10 }, (_, i) => `{"i":${i},"msg":"refused"}`));
});

it('writes every line at level debug', () => {
  const { written, lines } = recorded('debug');
  for (let i = 0; i < 100; i += 1) lines.write({ kind: {}, fields: () => ({ i }) });
  lines.flush();
  expect(written).toEqual(Array.from({ length: 100 }, (_, i) => `{"i":${i},"msg":"refused"}`));
});

it('counts what is left when it ends before the second does', () => {
  const { written, lines } = recorded();
  for (let i = 0; i < 3; i += 1) lines.write({ kind: { code: '400' } });
  lines.flush();
  expect(written.at(-1)).toBe('{"code":"400","count":2,"msg":"refused, more of them"}');
});
