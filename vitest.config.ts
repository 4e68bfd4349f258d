import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    testTimeout: 30_000,
    hookTimeout: 60_000,
    // For two cores: tests also wait.
    maxWorkers: 3,
    projects: [
      // Pure logic needs no database and shares its workers: a process for each file would cost more than the tests.
      { extends: true, test: { name: 'pure', include: ['src/**/*.test.ts'], isolate: false } },
      {
        extends: true,
        test: {
          name: 'whole',
          include: ['test/**/*.test.ts'],
          globalSetup: ['test/support/global-setup.ts'],
        },
      },
    ],
  },
});
