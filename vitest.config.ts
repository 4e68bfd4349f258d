import { defineConfig } from 'vitest/config';

/** Takes all of two cores: no other test runs beside it. */
const ALONE = ['test/e2e/deploy.test.ts'];
const globalSetup = ['test/support/global-setup.ts'];
const setupFiles = ['test/support/setup.ts'];

/** Imports SQL files as text, as `scripts/lib/bundle.mjs` does. */
export const sqlAsText = {
  name: 'sql-as-text',
  transform: (code: string, id: string) =>
    id.endsWith('.sql') ? `export default ${JSON.stringify(code)};` : undefined,
};

export default defineConfig({
  plugins: [sqlAsText],
  test: {
    testTimeout: 30_000,
    hookTimeout: 60_000,
    // For two cores: tests wait for most of their time.
    maxWorkers: 4,
    maxConcurrency: 4,
    // Shared machines stand still for seconds. `test/support/second-tries.ts` names what passed at its second try only.
    retry: process.env['CI'] === 'true' ? 1 : 0,
    projects: [
      // Pure logic needs no database and shares its workers: a process for each file would cost more than the tests.
      { extends: true, test: { name: 'pure', include: ['src/**/*.test.ts'], isolate: false } },
      {
        extends: true,
        test: {
          name: 'whole',
          isolate: false,
          include: ['test/**/*.test.ts'],
          exclude: ALONE,
          globalSetup,
          setupFiles,
        },
      },
      {
        extends: true,
        test: { name: 'alone', include: ALONE, globalSetup, setupFiles, sequence: { groupOrder: 1 } },
      },
    ],
  },
});
