import { expect, it } from 'vitest';
import { HashTurns } from '../../src/console/hash-turns.ts';

/** Work that ends when it is told to. */
function works() {
  const begun: string[] = [];
  const ends: (() => void)[] = [];
  return {
    begun,
    work: (name: string) => () => {
      begun.push(name);
      return new Promise<string>((resolve) => ends.push(() => resolve(name)));
    },
    endNext: async () => {
      ends.shift()?.();
      await new Promise((resolve) => setImmediate(resolve));
    },
  };
}

it('two hashes are computed at once, addresses take turns, and known ones go first', async () => {
  const turns = new HashTurns();
  const { begun, work, endNext } = works();
  for (const name of ['a1', 'a2', 'a3', 'a4']) void turns.run('a', false, work(name));
  void turns.run('b', false, work('b1'));
  void turns.run('b', true, work('known'));
  expect(begun).toEqual(['a1', 'a2']);
  for (let n = 0; n < 6; n += 1) await endNext();
  expect(begun).toEqual(['a1', 'a2', 'known', 'a3', 'b1', 'a4']);
});

it('waiting is limited for each address and for all strangers, but not for addresses that are known', async () => {
  const turns = new HashTurns();
  const { begun, work, endNext } = works();
  const results = Array.from({ length: 9 }, (_, n) => turns.run('a', false, work(`a${n}`)));
  expect(await Promise.all(results.slice(7))).toEqual([null, null]);
  const others = Array.from({ length: 100 }, (_, n) => turns.run(`s${n}`, false, work(`s${n}`)));
  expect(await others[99]).toBe(null);
  const known = turns.run('z', true, work('known'));
  await endNext();
  expect(begun.at(-1)).toBe('known');
  // Work that fails gives its place back as well.
  const failing = new HashTurns();
  for (let n = 0; n < 5; n += 1)
    await expect(failing.run('a', false, () => Promise.reject(new Error('no')))).rejects.toThrow('no');
  while (begun.length < 1 + 2 + 64) await endNext();
  await endNext();
  await endNext();
  expect(await known).toBe('known');
  expect(begun).toHaveLength(1 + 2 + 64);
});
