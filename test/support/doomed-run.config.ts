import { defineConfig } from 'vitest/config';
import { sqlAsText } from '../../vitest.config.js';

/** A run of its own that a test kills. */
export default defineConfig({
  plugins: [sqlAsText],
  test: {
    include: ['test/support/doomed-run.ts'],
    globalSetup: ['test/support/global-setup.ts'],
    setupFiles: ['test/support/setup.ts'],
  },
});
