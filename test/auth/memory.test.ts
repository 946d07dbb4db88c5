import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from 'vitest';
import { createVerifier } from '../../src/auth/verifier.ts';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

const MESSAGES = 1500;
const MIB = 1_048_576;

/** Username and password, cut out of a body of 64 KiB as a parser does. */
function cutOut(index: number): [username: string, password: string] {
  const body = Buffer.from(
    `auth_username=nobody-${index}-of-a-storm&auth_password=guess-${index}-of-many&`.padEnd(65_536, 'x'),
  );
  const text = body.toString('latin1');
  const [, username = '', password = ''] = /auth_username=([^&]+)&auth_password=([^&]+)/.exec(text) ?? [];
  return [username, password];
}

test('what is remembered of a flood keeps none of its messages in memory', async () => {
  const known = { passwordHash: 'never', role: 'system', active: true, confinement: null };
  const verifier = createVerifier({
    // One in ten exists. Its row has strings of its own, as the database client makes them.
    readUsers: async (names) => {
      const rows = names.filter((name) => name.includes('0-of')).map((name) => Buffer.from(name).toString());
      return new Map(rows.map((username) => [username, { ...known, username }]));
    },
    // No hash finishes during the test.
    verify: () => new Promise(() => undefined),
  });
  collect();
  const before = process.memoryUsage().heapUsed;
  const waiting: unknown[] = [];
  for (let index = 0; index < MESSAGES; index += 1) {
    const result = verifier.checkSoon(...cutOut(index));
    if (index % 100 === 0) await new Promise((resolve) => setImmediate(resolve));
    waiting.push(result);
  }
  await new Promise((resolve) => setImmediate(resolve));
  collect();
  // Their bodies are 94 MiB.
  expect((process.memoryUsage().heapUsed - before) / MIB).toBeLessThan(20);
  expect(waiting).toHaveLength(MESSAGES);
  verifier.stop();
});
