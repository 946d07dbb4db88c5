import { hash, verify } from '@node-rs/argon2';

/** argon2id (the library's default) with OWASP's recommended parameters: 19 MiB, 2 passes, 1 lane. */
const OPTIONS = { memoryCost: 19_456, timeCost: 2, parallelism: 1 } as const;

/** Hashes a password for storage; the parameters and the salt are part of the text. */
export function hashPassword(password: string): Promise<string> {
  return hash(password, OPTIONS);
}

const ARGON2 =
  /^\$argon2(?:id|i|d)(?:\$v=\d{1,2})?\$m=(\d{1,9}),t=(\d{1,9}),p=(\d{1,9})\$[^$]{1,100}\$[^$]{1,100}$/;
/** What comparing with one hash may cost: 64 MiB (in KiB), passes and lanes. */
const COST_MAX = { memory: 65_536, passes: 10, lanes: 4 } as const;

/** Whether a stored text is a hash that costs little enough to compare with: whoever wrote it need not have been us. */
export function isUsableHash(storedHash: string): boolean {
  const [, memory, passes, lanes] = ARGON2.exec(storedHash)?.map(Number) ?? [];
  if (memory === undefined || passes === undefined || lanes === undefined) return false;
  return memory <= COST_MAX.memory && passes <= COST_MAX.passes && lanes <= COST_MAX.lanes;
}

/**
 * Whether the password is the one that was hashed. A stored text that is no usable hash matches nothing, in the time that
 * any other takes.
 */
export async function verifyPassword(storedHash: string, password: string): Promise<boolean> {
  if (!isUsableHash(storedHash)) {
    await verify(DUMMY_HASH, password);
    return false;
  }
  try {
    return await verify(storedHash, password);
  } catch {
    return false;
  }
}

/**
 * What an unknown user's password is compared with: the comparison takes as long as a real one, so that time
 * does not tell which users exist. Made of random bytes; no password matches it.
 */
export const DUMMY_HASH =
  '$argon2id$v=19$m=19456,t=2,p=1$Lz6hxYfdi7j6Y/RbgVtQnA$/MzKzPK97DAf+uMWRb5Ld+Kzue7I9EOwp/I3Bx57U54';
