import { once } from 'node:events';
import { rename, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { test } from 'vitest';
import { startServer } from './server.js';

test('starts what a test may start, and does not end', { timeout: 600_000 }, async () => {
  const servers = [await startServer(), await startServer({ databaseUrl: '' })];
  const pids = [process.pid, ...servers.map(({ pid }) => pid)];
  const file = process.env['DOOMED_FILE'] as string;
  // The reader waits for the file: it must be whole when it is there.
  await writeFile(`${file}.new`, JSON.stringify({ pids, folder: tmpdir() }));
  await rename(`${file}.new`, file);
  await once(process, 'disconnect');
});
