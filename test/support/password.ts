import { hash } from '@node-rs/argon2';

/**
 * A password as it is stored, with a hash that costs next to nothing to verify: for tests that are not about the cost, which
 * every command and every worker would pay again.
 */
export function cheapHash(password: string): Promise<string> {
  return hash(password, { memoryCost: 8, timeCost: 1, parallelism: 1 });
}
