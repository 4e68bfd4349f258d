import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { PROJECT_ROOT } from '../common/project.js';

const require = createRequire(import.meta.url);

/** Folders of packages that the pages load in the browser, by their path under `/vendor/`. */
const VENDORS = {
  'socket.io': 'socket.io-client/dist/socket.io.js',
  marked: 'marked',
  dompurify: 'dompurify',
  uplot: 'uplot/dist/uPlot.esm.js',
  inter: '@fontsource-variable/inter/files/inter-latin-wght-normal.woff2',
} as const;

const VENDOR_MAX_AGE_MS = 60 * 60 * 1000;

/**
 * Serves the demo chat at `/`, the dashboard at `/dashboard`, and the files that they load, for GET and HEAD. Other
 * methods and unknown paths pass on to the application. Must be called before the application listens.
 */
export function servePages(app: NestExpressApplication): void {
  app.useStaticAssets(join(PROJECT_ROOT, 'public'), {
    redirect: false,
    // Serves dashboard.html at /dashboard.
    extensions: ['html'],
    setHeaders: setPageHeaders,
  });
  for (const [name, entry] of Object.entries(VENDORS)) {
    app.useStaticAssets(dirname(require.resolve(entry)), {
      prefix: `/vendor/${name}/`,
      index: false,
      redirect: false,
      maxAge: VENDOR_MAX_AGE_MS,
    });
  }
}

interface Headers {
  setHeader(name: string, value: string): unknown;
}

function setPageHeaders(response: Headers): void {
  // The names have no hash: every load asks whether the files changed, and gets 304.
  response.setHeader('Cache-Control', 'no-cache');
}
