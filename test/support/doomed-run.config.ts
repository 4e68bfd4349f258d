import { defineConfig } from 'vitest/config';

/** A run of its own that a test kills. */
export default defineConfig({
  test: {
    include: ['test/support/doomed-run.ts'],
    globalSetup: ['test/support/global-setup.ts'],
    setupFiles: ['test/support/setup.ts'],
  },
});
