import { access, constants, readFile, stat, statfs } from 'node:fs/promises';
import { totalmem } from 'node:os';
import { dirname, resolve } from 'node:path';
import type { Config } from '../../platform/config/config.js';
import { fail, ok, warn, type Finding } from './finding.js';

const MIB = 1024 * 1024;
/** Open files other than connections: code, logs, listeners, and connections to the provider and the database. */
const OTHER_FILES = 256;
/** Approximate memory of a connection, and of the process itself. */
const CONNECTION_BYTES = 50 * 1024;
const PROCESS_BYTES = 200 * MIB;
/** A clock outside of these dates is wrong. */
const EARLIEST = Date.UTC(2025, 0, 1);
const LATEST = Date.UTC(2100, 0, 1);

/** Resources that the machine gives the process. */
export interface Machine {
  readonly now: number;
  /** Bytes of memory that the process may use. */
  readonly memory: number;
  /** Files that the process may have open; undefined if the system does not say. */
  readonly files: number | undefined;
  readonly isRoot: boolean;
}

/** Returns the resources of this process's machine. */
export async function thisMachine(): Promise<Machine> {
  const limit = process.constrainedMemory();
  return {
    now: Date.now(),
    memory: limit > 0 ? Math.min(limit, totalmem()) : totalmem(),
    files: await openFileLimit(),
    isRoot: process.getuid?.() === 0,
  };
}

async function openFileLimit(): Promise<number | undefined> {
  const limits = await readFile('/proc/self/limits', 'utf8').catch(() => '');
  const soft = /^Max open files\s+(\S+)/m.exec(limits)?.[1];
  if (soft === undefined) return undefined;
  return soft === 'unlimited' ? Infinity : Number(soft);
}

/** Checks the clock, open files and memory. */
export function checkMachine({ MAX_CONNECTIONS }: Config, machine: Machine): Finding[] {
  const { now, memory, files } = machine;
  const requiredFiles = MAX_CONNECTIONS + OTHER_FILES;
  const requiredMemory = PROCESS_BYTES + MAX_CONNECTIONS * CONNECTION_BYTES;
  const size = `${Math.round(memory / MIB)} MiB`;
  return [
    now > EARLIEST && now < LATEST
      ? ok('clock', `It is ${new Date(now).toISOString()}.`)
      : fail(
          'clock',
          `The clock says ${new Date(now).toISOString()}.`,
          'Set it: the expiry of tokens depends on it.',
        ),
    files === undefined || files >= requiredFiles
      ? ok('open files', `The process may open ${files ?? 'an unknown number of'} files.`)
      : warn(
          'open files',
          `The process may open ${files} files, but MAX_CONNECTIONS=${MAX_CONNECTIONS} needs ${requiredFiles}.`,
          `Raise the limit (ulimit -n ${requiredFiles}, LimitNOFILE= of systemd, ulimits of Docker), or lower MAX_CONNECTIONS.`,
        ),
    memory >= requiredMemory
      ? ok('memory', `${size} for ${MAX_CONNECTIONS} connections.`)
      : warn(
          'memory',
          `${size}, but MAX_CONNECTIONS=${MAX_CONNECTIONS} may need ${Math.round(requiredMemory / MIB)} MiB.`,
          'Provide more memory, or lower MAX_CONNECTIONS.',
        ),
  ];
}

/** Checks that the embedded database can store its data in DATA_DIR. */
export async function checkDataDir({ DATA_DIR }: Config, { isRoot }: Machine): Promise<Finding[]> {
  const folder = await nearestExisting(resolve(DATA_DIR));
  const isFolder = (await stat(folder)).isDirectory();
  const writable =
    isFolder &&
    (await access(folder, constants.W_OK).then(
      () => true,
      () => false,
    ));
  if (!writable) {
    return [fail('data folder', `${folder} is not a writable folder.`, 'Change its owner, or DATA_DIR.')];
  }
  const { bavail, bsize } = await statfs(folder);
  const free = Math.floor((bavail * bsize) / MIB);
  const space =
    free >= 1024
      ? ok('data folder', `${folder} is writable and has ${free} MiB left.`)
      : (free >= 128 ? warn : fail)(
          'data folder',
          `${folder} has ${free} MiB left.`,
          'Free some space, or set DATA_DIR.',
        );
  const closed = isRoot ? await closedToOthers(folder) : undefined;
  if (!closed) return [space];
  const remedy = `Run as an ordinary user, set DATA_DIR elsewhere, or chmod o+x ${closed}.`;
  return [
    space,
    warn('data folder', `PostgreSQL does not run as root, but only root may enter ${closed}.`, remedy),
  ];
}

/** Returns `path`, or its nearest existing parent folder. Streamgate creates the rest when it starts. */
async function nearestExisting(path: string): Promise<string> {
  return (await exists(path)) || path === dirname(path) ? path : nearestExisting(dirname(path));
}

function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

/** Returns the first folder from `path` upwards that other users may not enter. */
async function closedToOthers(path: string): Promise<string | undefined> {
  const parent = dirname(path);
  if (parent === path) return undefined;
  const { mode } = await stat(parent);
  return (mode & 0o001) === 0 ? parent : closedToOthers(parent);
}
