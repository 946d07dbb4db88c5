import { defineConfig } from 'vitest/config';

/** The long tests, which `npm test` leaves out. They run one at a time, because they measure times and stop servers. */
export default defineConfig({
  test: {
    include: ['test/soak/**/*.test.ts'],
    pool: 'forks',
    maxWorkers: 1,
    globalSetup: ['test/support/stack-setup.ts'],
    testTimeout: 3_600_000,
    hookTimeout: 240_000,
    teardownTimeout: 60_000,
  },
});
