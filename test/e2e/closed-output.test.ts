import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createTestDatabase } from '../support/database.js';
import { eventually } from '../support/eventually.js';
import { TEST_SECRET } from '../support/server.js';
import { freePort } from '../../src/platform/database/embedded/free-port.js';

const MAIN = join(import.meta.dirname, '../../dist/main.js');

test.for(['production', 'development'])(
  'In %s, a server whose output is not read any more starts, serves and ends as usual (P12)',
  { timeout: 60_000 },
  async (NODE_ENV) => {
    const database = await createTestDatabase();
    const port = await freePort();
    const env = {
      ...{ PATH: process.env['PATH'], PORT: String(port), DATABASE_URL: database.url, NODE_ENV },
      ...{ AUTH_JWT_SECRET: TEST_SECRET, LOG_LEVEL: 'debug', SHUTDOWN_SPREAD_MS: '0' },
    };
    const child = spawn(process.execPath, [MAIN], { env, stdio: ['ignore', 'pipe', 'pipe'] });
    child.stdout.destroy();
    child.stderr.destroy();
    const exit = once(child, 'exit');
    const live = `http://127.0.0.1:${port}/api/ws/health/live`;
    const isServed = async (): Promise<boolean> => (await fetch(live).catch(() => null))?.ok === true;
    try {
      await eventually(isServed, 'the server serves', 45_000);
      // Each request is a line of the log.
      expect(await isServed()).toBe(true);
    } finally {
      child.kill('SIGTERM');
      expect(await exit).toEqual([0, null]);
      await database.drop();
    }
  },
);
