import { hash, verify } from '@node-rs/argon2';

/** argon2id (the library's default) with OWASP's recommended parameters: 19 MiB, 2 passes, 1 lane. */
const OPTIONS = { memoryCost: 19_456, timeCost: 2, parallelism: 1 } as const;

/** Hashes a password for storage; the parameters and the salt are part of the text. */
export function hashPassword(password: string): Promise<string> {
  return hash(password, OPTIONS);
}

/** Whether the password is the one that was hashed. A stored text that is no hash matches nothing. */
export async function verifyPassword(storedHash: string, password: string): Promise<boolean> {
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
