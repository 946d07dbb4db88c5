import { expect, it } from 'vitest';
import type { HeldBy } from '../../src/domain/held.ts';
import { type Waiting, WaitingList } from '../../src/worker/waiting-list.ts';

const held: HeldBy = (row) => ({ kind: 'held', cause: 'lock', row, why: 'somebody' });
const heldOnly =
  (...rows: string[]): HeldBy =>
  (row) =>
    rows.includes(row) ? held(row) : undefined;

function waiting(message: string, row: string | null, more: Partial<Waiting<string>> = {}): Waiting<string> {
  const why = 'somebody has it';
  return {
    message,
    bytes: 1,
    uniqueid: message,
    row,
    why,
    since: 0,
    failures: 0,
    isEndless: false,
    isTried: false,
    ...more,
  };
}

function waitingList(...all: Waiting<string>[]): WaitingList<string> {
  const made = new WaitingList<string>({ limit: 3, limitBytes: 100, holdsEndless: true, waitMs: 1000 });
  for (const one of all) made.add(one);
  return made;
}
const names = (taken: readonly Waiting<string>[]) => taken.map(({ message }) => message);

it('holds a bounded number, plus messages that no other queue can take', () => {
  const full = waitingList(waiting('a', 'x'), waiting('b', 'x'), waiting('c', 'x'));
  expect(full.add(waiting('d', 'x'))).toBe(false);
  expect(full.add(waiting('e', null, { isEndless: true }))).toBe(true);
  expect(full.size).toBe(4);
});

it('bounds messages that wait without an end too, where another queue can take them', () => {
  const one = new WaitingList<string>({ limit: 1, limitBytes: 100, holdsEndless: false, waitMs: 1000 });
  expect(one.add(waiting('a', null, { isEndless: true }))).toBe(true);
  expect(one.add(waiting('b', null, { isEndless: true }))).toBe(false);
});

it('holds a bounded number of bytes', () => {
  const some = waitingList(waiting('a', 'x', { bytes: 60 }));
  expect(some.add(waiting('b', 'x', { bytes: 41 }))).toBe(false);
  expect(some.add(waiting('c', 'x', { bytes: 40 }))).toBe(true);
});

it('releases messages whose rows are free, in the order of arrival', () => {
  const some = waitingList(waiting('a', 'x'), waiting('b', 'y'), waiting('c', 'x'));
  expect(names(some.takeFree(heldOnly('y')))).toEqual(['a', 'c']);
  expect(names(some.takeFree(held))).toEqual([]);
  expect(names(some.takeFree(heldOnly()))).toEqual(['b']);
});

it('never lets a message pass an older one of its uniqueid', () => {
  const some = waitingList(waiting('a', 'x', { uniqueid: 'u' }), waiting('b', 'y', { uniqueid: 'u' }));
  expect(some.behind('u')?.message).toBe('a');
  expect(names(some.takeFree(heldOnly('x')))).toEqual([]);
  expect(names(some.takeFree(heldOnly()))).toEqual(['a', 'b']);
  expect(some.behind('u')).toBeUndefined();
});

it('ends a wait in time, except of messages that are being tried or wait without an end', () => {
  const some = waitingList(
    waiting('a', 'x', { since: 0 }),
    waiting('b', 'x', { since: 1 }),
    waiting('c', 'x', { isTried: true }),
    waiting('d', null, { isEndless: true }),
  );
  expect(names(some.takeOverdue(1000))).toEqual(['a']);
  expect(names(some.takeOverdue(1_000_000))).toEqual(['b']);
});

it('retries in turn those that only a retry can free, less and less often', () => {
  const [a, b] = [waiting('a', 'x'), waiting('b', 'x')];
  const some = waitingList(a, b, waiting('c', 'y'));
  const isRefused = (row: string) => row === 'x';
  expect(some.next(0, isRefused)).toBe(a);
  some.failed(a, 'no', 0);
  expect(some.next(499, isRefused)).toBeUndefined();
  expect(some.next(500, isRefused)).toBe(b);
  some.failed(b, 'no', 500);
  expect(some.next(1499, isRefused)).toBeUndefined();
  expect(some.next(1500, isRefused)).toBe(a);
  expect(some.guiltyOf('x')).toEqual([a, b]);
  expect(some.guiltyOf('y')).toEqual([]);
});

it('forgets messages that the broker has again', () => {
  const some = waitingList(waiting('a', 'x'), waiting('b', 'x'));
  some.keepOnly((message) => message === 'b');
  expect(some.size).toBe(1);
});
