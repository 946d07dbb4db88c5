import { defineConfig } from 'vitest/config';
import { LongestFirst } from './test/support/longest-first.ts';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: ['test/soak/**', '**/node_modules/**'],
    // Processes, not threads: tests start workers, signal them and stop servers.
    pool: 'forks',
    // Two cores serve PostgreSQL, RabbitMQ and the workers under test as well.
    maxWorkers: 2,
    sequence: { sequencer: LongestFirst },
    globalSetup: ['test/support/stack-setup.ts'],
    testTimeout: 60_000,
    // The first test that asks for the stack waits for it, on a new machine including a download.
    hookTimeout: 240_000,
    teardownTimeout: 60_000,
  },
});
