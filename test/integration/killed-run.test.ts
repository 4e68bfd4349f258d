import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { isAlive } from '../../src/platform/database/embedded/processes.js';
import { eventually } from '../support/eventually.js';
import { ROOT } from '../support/pages.js';

interface Doomed {
  pids: number[];
  /** What the run keeps on disk. */
  folder: string;
}

/** Main processes of all PostgreSQLs with their data below `folder`. */
async function postmasters(folder: string): Promise<number[]> {
  const files = await readdir(folder, { recursive: true });
  const found = files.filter((file) => file.endsWith('postmaster.pid'));
  return Promise.all(
    found.map(async (file) => Number.parseInt(await readFile(join(folder, file), 'utf8'), 10)),
  );
}

test('A killed test run leaves no process and no file: workers, servers, PostgreSQL', async () => {
  const file = join(await mkdtemp(join(tmpdir(), 'streamgate-doomed-')), 'started.json');
  const vitest = join(ROOT, 'node_modules/vitest/vitest.mjs');
  const run = spawn(process.execPath, [vitest, 'run', '--config', 'test/support/doomed-run.config.ts'], {
    cwd: ROOT,
    env: { PATH: process.env['PATH'], TMPDIR: tmpdir(), DOOMED_FILE: file },
    stdio: 'ignore',
  });
  try {
    await eventually(() => existsSync(file), 'the run to be under way', 90_000);
    const { pids, folder } = JSON.parse(await readFile(file, 'utf8')) as Doomed;
    const databases = await postmasters(folder);
    expect(databases.length).toBe(2);
    const all = [...pids, ...databases];
    expect(all.filter(isAlive)).toEqual(all);
    run.kill('SIGKILL');
    await eventually(() => !all.some(isAlive), 'its processes to be gone', 30_000);
    await eventually(() => !existsSync(folder), 'its folder to be gone');
  } finally {
    run.kill('SIGKILL');
  }
}, 150_000);
