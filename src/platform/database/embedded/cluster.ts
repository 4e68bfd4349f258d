import { execFile } from 'node:child_process';
import {
  access,
  chown,
  constants,
  lchown,
  mkdir,
  readdir,
  readFile,
  realpath,
  rename,
  rm,
  stat,
  writeFile,
} from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { randomText } from '../../../common/ids.js';
import { StartError } from '../start-error.js';
import { type Account, mayEnter, PLAIN_ENVIRONMENT } from './account.js';
import type { Binaries } from './binaries.js';
import { isAlive } from './processes.js';

const run = promisify(execFile);
const PASSWORD_FILE = 'streamgate.password';
const DRAFT = 'postgres.new-';
/** The initdb of a killed start may still be writing into the folder. */
const REMOVE = { recursive: true, force: true, maxRetries: 20, retryDelay: 50 };

/**
 * Makes sure that `dataDir` is a writable folder, and returns its real path.
 * @throws {StartError} if it is not.
 */
export async function prepareDataDir(dataDir: string): Promise<string> {
  try {
    await mkdir(dataDir, { recursive: true });
    await access(dataDir, constants.R_OK | constants.W_OK | constants.X_OK);
    return await realpath(dataDir);
  } catch (error) {
    throw new StartError(
      `DATA_DIR (${dataDir}) is not a folder that Streamgate can write to (${(error as NodeJS.ErrnoException).code}): make it writable, or set DATA_DIR to another.`,
      { cause: error },
    );
  }
}

/**
 * Creates the cluster (PostgreSQL's data folder) if there is none, and returns the superuser's password. A crash leaves
 * a draft beside it, never half a cluster. If two processes create it at once, the first to finish wins.
 * @throws {StartError} if the folder contains something that these programs cannot run.
 */
export async function openCluster(
  folder: string,
  binaries: Binaries,
  account: Account | undefined,
): Promise<string> {
  if ((await readIfThere(join(folder, 'PG_VERSION'))) === undefined) await create(folder, binaries, account);
  const version = (await readIfThere(join(folder, 'PG_VERSION')))?.trim();
  if (version === undefined) {
    throw new StartError(
      `${folder} holds something that is not a PostgreSQL data folder: move it away, or set DATA_DIR to another folder.`,
    );
  }
  if (version !== String(binaries.major)) {
    throw new StartError(
      `${folder} was made by PostgreSQL ${version}, and this Streamgate brings ${binaries.major}: dump it with PostgreSQL ${version} and restore the dump, or set DATA_DIR to another folder; nothing was changed.`,
    );
  }
  if (account && (await stat(folder)).uid === 0) await giveTo(account, folder);
  const password = await readIfThere(join(folder, PASSWORD_FILE));
  if (password === undefined) {
    throw new StartError(
      `${join(folder, PASSWORD_FILE)} is missing: restore it, or set DATA_DIR to another folder.`,
    );
  }
  return password.trim();
}

/** Gives a whole cluster to `account`. After root restored a copy it belongs to root, and PostgreSQL cannot use it. */
async function giveTo(account: Account, folder: string): Promise<void> {
  // The folder itself comes last, so that an interrupted change does not look complete.
  for (const path of [...(await readdir(folder, { recursive: true })), '']) {
    await lchown(join(folder, path), account.uid, account.gid);
  }
}

/**
 * Returns the path by which `account` reaches `folder` while the folder is the process's working directory. If only
 * root may enter a parent folder, no path leads there; but the working directory is entered before root is given up.
 * @throws {StartError} if the system does not name the working directory.
 */
export async function pathFor(folder: string, account: Account | undefined): Promise<string> {
  if (await mayEnter(folder, account)) return folder;
  if (process.platform === 'linux') return '/proc/self/cwd';
  throw new StartError(
    `${folder} lies where only root may enter, and PostgreSQL does not run as root: set DATA_DIR to a folder that others may enter.`,
  );
}

async function create(folder: string, binaries: Binaries, account: Account | undefined): Promise<void> {
  await removeAbandonedDrafts(folder);
  const draft = join(folder, '..', `${DRAFT}${process.pid}`);
  const password = join(draft, 'password');
  const data = join(draft, 'data');
  try {
    await mkdir(data, { recursive: true, mode: 0o700 });
    await writeFile(password, `${randomText(24)}\n`, { mode: 0o600, flush: true });
    if (account) for (const path of [draft, password, data]) await chown(path, account.uid, account.gid);
    await initdb(data, binaries, account);
    await rename(password, join(data, PASSWORD_FILE));
    await rename(data, folder).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOTEMPTY' || error.code === 'EEXIST') return; // Another process was faster, or it is not ours.
      throw error;
    });
  } finally {
    await rm(draft, REMOVE);
  }
}

/** Initializes the empty folder `data`; the password is in the file `password` beside it. */
async function initdb(data: string, binaries: Binaries, account: Account | undefined): Promise<void> {
  const path = await pathFor(data, account);
  const options = [
    // Not joined: join() would remove the dots, and with them the path through the working directory.
    `--pwfile=${path}/../password`,
    `--pgdata=${path}`,
    '--username=postgres',
    '--auth=scram-sha-256',
    '--encoding=UTF8',
    '--no-instructions',
    // Sort order and letter case are the same on every machine, whatever its locales.
    '--no-locale',
    '--locale-provider=builtin',
    '--builtin-locale=C.UTF-8',
  ];
  try {
    await run(binaries.initdb, options, { ...account, cwd: data, env: PLAIN_ENVIRONMENT });
  } catch (error) {
    const { stderr, message } = error as Error & { stderr?: string };
    throw new StartError(
      `PostgreSQL could not create its data folder in ${join(data, '../../..')}: ${(stderr || message).trim()}`,
      { cause: error },
    );
  }
}

/** Removes drafts of ended processes, and those with this process's own id, which an earlier process may have had. */
async function removeAbandonedDrafts(folder: string): Promise<void> {
  const parent = join(folder, '..');
  for (const name of await readdir(parent)) {
    if (!name.startsWith(DRAFT)) continue;
    const pid = Number(name.slice(DRAFT.length));
    if (pid === process.pid || !isAlive(pid)) await rm(join(parent, name), REMOVE);
  }
}

async function readIfThere(path: string): Promise<string | undefined> {
  return readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
}
