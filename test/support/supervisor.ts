/**
 * Owns the PostgreSQL of a test run, in a session of its own. When the run ends, even by a kill, the standard input of this
 * process closes: it then kills the processes that are left of the run and removes the run's folder, its argument.
 */
import { execFile } from 'node:child_process';
import { mkdir, readlink, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { startEmbeddedPostgres } from '../../src/platform/database/embedded-postgres.js';

const QUIET = { info: () => {}, warn: console.warn, error: console.error };
const SWEEP_INTERVAL_MS = 200;
const SWEEP_TIMEOUT_MS = 10_000;

const folder = process.argv[2] as string;
const run = promisify(execFile);

/** Returns the processes of the run: those with the run's folder in their arguments or in their working folder. */
async function processes(): Promise<{ pid: number; isPostgres: boolean }[]> {
  const { stdout } = await run('ps', ['-A', '-ww', '-o', 'pid=,args='], { maxBuffer: 64 * 1024 * 1024 });
  const found = stdout.split('\n').map(async (line) => {
    const pid = Number.parseInt(line, 10);
    // PostgreSQL does not name its folder. Other systems than Linux have no such link.
    const workingFolder = await readlink(`/proc/${pid}/cwd`).catch(() => '');
    // Sessions of PostgreSQL are ended by its main process.
    const isOurs =
      pid !== process.pid && !line.includes(' postgres: ') && `${line} ${workingFolder}`.includes(folder);
    return isOurs ? [{ pid, isPostgres: line.includes('/bin/postgres ') }] : [];
  });
  return (await Promise.all(found)).flat();
}

/** Ends the processes of the run until none is left. PostgreSQL gets SIGQUIT: after SIGKILL its shared memory would remain. */
async function sweep(): Promise<void> {
  const deadline = Date.now() + SWEEP_TIMEOUT_MS;
  for (let left = await processes(); left.length > 0 && Date.now() < deadline; left = await processes()) {
    for (const { pid, isPostgres } of left) signal(pid, isPostgres ? 'SIGQUIT' : 'SIGKILL');
    await delay(SWEEP_INTERVAL_MS);
  }
}

/** Sends a signal; does nothing if the process has ended since it was listed. */
function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

// Ctrl-C ends the run, and the end of the run ends this process.
process.on('SIGINT', () => {}).on('SIGHUP', () => {});
const dataDir = join(folder, 'run');
await mkdir(dataDir);
// Nobody needs these databases after a crash.
const settings = { fsync: 'off', full_page_writes: 'off' };
const server = process.env['DATABASE_URL']
  ? { url: process.env['DATABASE_URL'], stop: () => Promise.resolve() }
  : await startEmbeddedPostgres({ dataDir, log: QUIET, settings });
process.stdin.resume().once('end', () => {
  void server
    .stop()
    .then(sweep)
    .then(() => rm(folder, { recursive: true, force: true }))
    .then(() => process.exit(0));
});
process.stdout.write(`${JSON.stringify({ url: server.url })}\n`);
