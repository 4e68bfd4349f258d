/**
 * Owns the PostgreSQL of a test run, in a session of its own. When the run ends, however it does, its standard input closes:
 * then everything that the run started and left is ended, and its folder is removed. Argument: the folder of the run.
 */
import { execFile } from 'node:child_process';
import { mkdir, readlink, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { startEmbeddedPostgres } from '../../src/platform/database/embedded-postgres.js';

const QUIET = { info: () => {}, warn: console.warn, error: console.error };
const SWEEP_EVERY_MS = 200;
const SWEEP_MS = 10_000;

const folder = process.argv[2] as string;
const run = promisify(execFile);

/** Processes of the run: each has a path below its folder among its arguments, or works in one. */
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

/** Ends them until none is left. PostgreSQL ends its own processes: a killed one would leave its shared memory. */
async function sweep(): Promise<void> {
  const giveUpAt = Date.now() + SWEEP_MS;
  for (let left = await processes(); left.length > 0 && Date.now() < giveUpAt; left = await processes()) {
    for (const { pid, isPostgres } of left) signal(pid, isPostgres ? 'SIGQUIT' : 'SIGKILL');
    await delay(SWEEP_EVERY_MS);
  }
}

/** One of them may have ended since it was listed. */
function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

// A Ctrl-C at the terminal ends the run, and that ends this.
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
