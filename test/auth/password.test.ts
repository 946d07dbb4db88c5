import { parseOptions } from '@node-rs/argon2';
import { expect, test } from 'vitest';
import { DUMMY_HASH, hashPassword, verifyPassword } from '../../src/auth/password.ts';

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

test('no password matches the dummy hash', async () => {
  for (const password of ['', 'password', DUMMY_HASH]) {
    expect(await verifyPassword(DUMMY_HASH, password)).toBe(false);
  }
});
