import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { chromiumPath, hasChromium, hasRedis } from '../support/requirements.js';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'streamgate-path-'));
  vi.stubEnv('PATH', folder);
  vi.stubEnv('CHROMIUM_PATH', '');
  vi.stubEnv('REDIS_URL', '');
  vi.stubEnv('CI', '');
});

afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(folder, { recursive: true, force: true });
});

it('finds executable programs on the PATH, and uses the configured one', async () => {
  await writeFile(join(folder, 'redis-server'), '', { mode: 0o755 });
  await writeFile(join(folder, 'chromium-browser'), '', { mode: 0o644 });
  expect([hasRedis(), hasChromium()]).toEqual([true, false]);
  vi.stubEnv('CHROMIUM_PATH', '/somewhere/chrome');
  expect(chromiumPath()).toBe('/somewhere/chrome');
});

it('skips what is missing, but never in CI', () => {
  expect([hasRedis(), hasChromium()]).toEqual([false, false]);
  vi.stubEnv('CI', 'true');
  expect(() => hasRedis()).toThrow(
    'Redis, for the tests with more than one node is missing. Install redis-server',
  );
  expect(() => hasChromium()).toThrow('Install chromium');
});
