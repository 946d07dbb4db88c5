import { defineConfig } from 'vitest/config';
import { LongestFirst } from './test/support/longest-first.ts';

/** Tests that start no process and no server. They share processes, so that modules are loaded only once. */
const UNIT = ['auth', 'broker', 'domain', 'ops', 'simulation', 'sources', 'store', 'worker'].map(
  (module) => `test/${module}/**/*.test.ts`,
);

export default defineConfig({
  test: {
    // Processes, not threads: tests start workers, signal them and stop servers.
    pool: 'forks',
    // Twice the two cores, because most tests wait for servers, commands and timeouts for half of the time.
    maxWorkers: 4,
    sequence: { sequencer: LongestFirst },
    testTimeout: 60_000,
    // The first test that asks for the stack waits for it, on a new machine including a download.
    hookTimeout: 240_000,
    teardownTimeout: 60_000,
    projects: [
      { extends: true, test: { name: 'unit', include: UNIT, isolate: false } },
      {
        extends: true,
        test: {
          name: 'system',
          include: ['test/**/*.test.ts'],
          exclude: [...UNIT, 'test/soak/**', '**/node_modules/**'],
          globalSetup: ['test/support/stack-setup.ts'],
        },
      },
    ],
  },
});
