import { hash, parseOptions } from '@node-rs/argon2';
import { expect, test } from 'vitest';
import { DUMMY_HASH, hashPassword, isUsableHash, verifyPassword } from '../../src/auth/password.ts';

test('a hash matches its own password and no other', async () => {
  const hash = await hashPassword('correct horse');
  expect(await verifyPassword(hash, 'correct horse')).toBe(true);
  expect(await verifyPassword(hash, 'correct horse ')).toBe(false);
  expect(await verifyPassword(hash, '')).toBe(false);
});

test('the same password is hashed differently each time', async () => {
  expect(await hashPassword('correct horse')).not.toBe(await hashPassword('correct horse'));
});

test('passwords are hashed as OWASP recommends for argon2id, and the dummy hash costs the same', async () => {
  for (const hash of [await hashPassword('correct horse'), DUMMY_HASH]) {
    expect(hash).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/);
    expect(parseOptions(hash)).toMatchObject({
      memoryCost: 19_456,
      timeCost: 2,
      parallelism: 1,
      outputLen: 32,
    });
  }
});

test.each(['', 'x', 'plaintext', '$argon2id$v=19$m=19456,t=2,p=1$', '$2b$10$abcdefghijklmnopqrstuv'])(
  'a stored text that is no hash matches nothing: %j',
  async (stored) => {
    expect(await verifyPassword(stored, stored)).toBe(false);
  },
);

test.each([
  'm=4194304,t=9,p=4',
  'm=65537,t=2,p=1',
  'm=19456,t=11,p=1',
  'm=19456,t=2,p=5',
  'm=19456,t=4294967295,p=1',
])(
  'a stored hash that costs too much to compare with matches nothing, and takes what any other does: %s',
  async (cost) => {
    const stored = DUMMY_HASH.replace('m=19456,t=2,p=1', cost);
    expect(isUsableHash(stored)).toBe(false);
    const before = process.resourceUsage().maxRSS;
    expect(await verifyPassword(stored, 'x')).toBe(false);
    // KiB. The hash itself takes 19 MiB.
    expect(process.resourceUsage().maxRSS - before).toBeLessThan(100_000);
  },
);

test('a hash within the limits is verified, even if it costs more than ours', async () => {
  const stored = await hash('right', { memoryCost: 65_536, timeCost: 3, parallelism: 4 });
  expect(await verifyPassword(stored, 'right')).toBe(true);
});

test('no password matches the dummy hash', async () => {
  for (const password of ['', 'password', DUMMY_HASH]) {
    expect(await verifyPassword(DUMMY_HASH, password)).toBe(false);
  }
});
