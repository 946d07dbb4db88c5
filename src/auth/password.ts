import { hash, verify } from '@node-rs/argon2';

/** argon2id (the library's default) with OWASP's recommended parameters: 19 MiB, 2 passes, 1 lane. */
const OPTIONS = { memoryCost: 19_456, timeCost: 2, parallelism: 1 } as const;

/** Hashes a password for storage; the result contains the parameters and the salt. */
export function hashPassword(password: string): Promise<string> {
  return hash(password, OPTIONS);
}

const ARGON2 =
  /^\$argon2(?:id|i|d)(?:\$v=\d{1,2})?\$m=(\d{1,9}),t=(\d{1,9}),p=(\d{1,9})\$[^$]{1,100}\$[^$]{1,100}$/;
/** Most that verifying against a stored hash may cost. Memory in KiB. */
const COST_MAX = { memory: 65_536, passes: 10, lanes: 4 } as const;

/**
 * Whether a stored text is a hash that is cheap enough to verify against. Other software may have written it.
 */
export function isUsableHash(storedHash: string): boolean {
  const [, memory, passes, lanes] = ARGON2.exec(storedHash)?.map(Number) ?? [];
  if (memory === undefined || passes === undefined || lanes === undefined) return false;
  return memory <= COST_MAX.memory && passes <= COST_MAX.passes && lanes <= COST_MAX.lanes;
}

/**
 * Whether the password is the one that was hashed. An unusable hash matches nothing, and takes as long as any
 * other.
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
 * Stands in for the hash of an unknown user. Verifying takes as long as for a real one, so that timing does
 * not reveal which users exist. Made of random bytes; no password matches it.
 */
export const DUMMY_HASH =
  '$argon2id$v=19$m=19456,t=2,p=1$Lz6hxYfdi7j6Y/RbgVtQnA$/MzKzPK97DAf+uMWRb5Ld+Kzue7I9EOwp/I3Bx57U54';
