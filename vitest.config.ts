import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: ['test/soak/**', '**/node_modules/**'],
    // Processes, not threads: tests start workers, signal them and stop servers.
    pool: 'forks',
    // Two cores serve PostgreSQL, RabbitMQ and the workers under test as well.
    maxWorkers: 2,
    globalSetup: ['test/support/stack-setup.ts'],
    testTimeout: 60_000,
    // The first to ask for the stack waits for it, with a download on a new machine.
    hookTimeout: 240_000,
    teardownTimeout: 60_000,
  },
});
