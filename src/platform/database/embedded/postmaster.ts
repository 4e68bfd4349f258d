import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chown, open, readFile, rename, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { StartError } from '../start-error.js';
import { type Account, PLAIN_ENVIRONMENT } from './account.js';
import { pathFor } from './cluster.js';
import { commandLine, isAlive } from './processes.js';
import { freePort } from './free-port.js';

const POLL_MS = 15;
/** How long the "fast" shutdown may take in milliseconds, before the "immediate" one. */
const FAST_SHUTDOWN_MS = 10_000;
const URGENT_FAST_SHUTDOWN_MS = 2000;
const IMMEDIATE_SHUTDOWN_MS = 5000;
const MAX_LOG_BYTES = 10 * 1024 * 1024;

/** A running PostgreSQL: its main process, and where it listens. */
export interface Postmaster {
  readonly pid: number;
  readonly port: number;
  isRunning(): Promise<boolean>;
  /** The end of what it wrote to its log since it was launched. */
  lastWords(): Promise<string>;
}

/** What it takes to start PostgreSQL. */
export interface Launch {
  readonly folder: string;
  readonly logFile: string;
  readonly program: string;
  readonly account: Account | undefined;
  readonly settings: Readonly<Record<string, string>>;
  /** A free one where it is not given. */
  readonly port?: number;
}

/**
 * The PostgreSQL that runs on `folder`, or undefined. A `postmaster.pid` whose number now belongs to some other program
 * is made harmless.
 */
export async function findPostmaster(folder: string, logFile: string): Promise<Postmaster | undefined> {
  const file = join(folder, 'postmaster.pid');
  const text = await readFile(file, 'utf8').catch(() => '');
  const [pid = 0, , , port = 0] = text.split('\n').map(Number);
  if (!(pid > 0) || !isAlive(pid)) return undefined; // PostgreSQL itself clears what a dead one left.
  if (await isPostmaster(pid, folder)) {
    return {
      pid,
      port,
      isRunning: () => isPostmaster(pid, folder),
      lastWords: () => tail(logFile, 0),
    };
  }
  // PostgreSQL takes a number that is alive for a running server, unless it is its own parent's. Deleting the file would
  // also pass by its check for orphans that still use the folder, so the number is replaced.
  const draft = `${file}.${process.pid}`;
  await writeFile(draft, text.replace(/^\d+/, String(process.pid)), { mode: 0o600 });
  const { uid, gid } = await stat(file);
  await chown(draft, uid, gid);
  await rename(draft, file);
  return undefined;
}

/** Starts PostgreSQL on 127.0.0.1, in a session of its own, so that a terminal's Ctrl-C does not reach it. */
export async function launchPostmaster(launch: Launch): Promise<Postmaster> {
  const { folder, account } = launch;
  const port = launch.port ?? (await freePort());
  const log = await open(launch.logFile, (await sizeOf(launch.logFile)) > MAX_LOG_BYTES ? 'w' : 'a', 0o600);
  const { size } = await log.stat();
  const child = spawn(launch.program, [...(await argumentsOf(launch, port))], {
    ...account,
    cwd: folder,
    env: PLAIN_ENVIRONMENT,
    detached: true,
    stdio: ['ignore', log.fd, log.fd],
  });
  try {
    await once(child, 'spawn');
  } catch (error) {
    throw new StartError(`PostgreSQL could not be started: ${(error as Error).message}.`, { cause: error });
  } finally {
    await log.close();
  }
  child.unref();
  return {
    pid: child.pid as number,
    port,
    isRunning: () => Promise.resolve(child.exitCode === null && child.signalCode === null),
    lastWords: () => tail(launch.logFile, size),
  };
}

/**
 * Ends it as PostgreSQL's "fast" shutdown does: open transactions are rolled back, everything is flushed. After 10 s, or
 * 2 s where it is urgent, the "immediate" one, which loses nothing committed either. False if it survives even that.
 */
export async function stopPostmaster(postmaster: Postmaster, urgent = false): Promise<boolean> {
  const steps = [
    ['SIGINT', urgent ? URGENT_FAST_SHUTDOWN_MS : FAST_SHUTDOWN_MS],
    ['SIGQUIT', IMMEDIATE_SHUTDOWN_MS],
  ] as const;
  for (const [signal, deadlineMs] of steps) {
    if (!(await postmaster.isRunning())) return true;
    process.kill(postmaster.pid, signal);
    const deadline = Date.now() + deadlineMs;
    while (Date.now() < deadline && (await postmaster.isRunning())) await delay(POLL_MS);
  }
  return !(await postmaster.isRunning());
}

/**
 * Ends it with this process, by whatever way that exits: an error that nobody caught must not leave it running. Returns the
 * undo. A process that is killed leaves it to the next start.
 */
export function stopAtExit({ pid }: Postmaster): () => void {
  const stop = (): void => {
    if (isAlive(pid)) process.kill(pid, 'SIGINT');
  };
  process.on('exit', stop);
  return () => process.off('exit', stop);
}

async function argumentsOf({ folder, account, settings }: Launch, port: number): Promise<string[]> {
  const all = {
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    max_connections: '200',
    shared_buffers: '128MB',
    ...settings,
    [MARK]: folder,
  };
  const path = await pathFor(folder, account);
  return ['-D', path, '-p', String(port), ...Object.entries(all).flatMap(([k, v]) => ['-c', `${k}=${v}`])];
}

/** A setting of no meaning to PostgreSQL that shows the folder on its command line, which every user may read. */
const MARK = 'streamgate.folder';

async function isPostmaster(pid: number, folder: string): Promise<boolean> {
  return `${await commandLine(pid)} `.includes(` ${MARK}=${folder} `);
}

async function sizeOf(file: string): Promise<number> {
  return stat(file).then(
    ({ size }) => size,
    () => 0,
  );
}

async function tail(logFile: string, from: number): Promise<string> {
  const bytes = await readFile(logFile).catch(() => Buffer.alloc(0));
  return bytes.subarray(from).toString('utf8').trim().split('\n').slice(-5).join('\n');
}
