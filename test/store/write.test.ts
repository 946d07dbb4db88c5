import { expect, it } from 'vitest';
import { WRITE, WRITE_CALLS } from '../../src/store/persist/write.ts';

/** Reviews show the whole statement, and it can be pasted after `explain`. Refresh it with `npm test -- test/store/write.test.ts -u`. */
const GOLDEN = '../fixtures/write.sql';

it('is assembled from its parts as in test/fixtures/write.sql', async () => {
  const texts = [WRITE_CALLS, WRITE].map(({ name, text }) => `-- ${name}${text};\n`);
  await expect(texts.join('\n')).toMatchFileSnapshot(GOLDEN);
});
