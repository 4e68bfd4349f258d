import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { test } from 'vitest';
import { startServer } from './server.js';

test('starts what a test may start, and does not end', { timeout: 600_000 }, async () => {
  const servers = [await startServer(), await startServer({ databaseUrl: '' })];
  const pids = [process.pid, ...servers.map(({ pid }) => pid)];
  await writeFile(process.env['DOOMED_FILE'] as string, JSON.stringify({ pids, folder: tmpdir() }));
  await once(process, 'disconnect');
});
