import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { runStep } from './run.mjs';

const SOURCES = ['src', 'migrations', 'scripts/lib/bundle.mjs', 'tsconfig.json', 'package-lock.json'];
const STAMP = '.sources';
const BUNDLE = join(import.meta.dirname, 'bundle.mjs');

/**
 * Whether `dist/` was built from the sources that are there now, judged by content.
 * Without `src/` (an image that carries the built service only) what is there is taken as it is.
 * @param {string} root
 */
export function isBuilt(root) {
  if (!existsSync(join(root, 'dist', 'main.js'))) return false;
  if (!existsSync(join(root, 'src'))) return true;
  const stamp = join(root, 'dist', STAMP);
  return existsSync(stamp) && readFileSync(stamp, 'utf8') === hashSources(root);
}

/**
 * Builds into a folder of its own and then puts it in the place of `dist/`, so that nobody ever sees half a build
 * and what was deleted from the sources does not live on.
 * @param {string} root
 */
export async function build(root) {
  const sources = hashSources(root);
  const fresh = join(root, `.build-${process.pid}`);
  removeLeftovers(root);
  mkdirSync(fresh);
  try {
    await runStep(process.execPath, [BUNDLE, fresh], {
      doing: 'Building',
      note: 'a few seconds',
      advice: () => 'Mend what the bundler names above, then run the same command again.',
      cwd: root,
    });
    writeFileSync(join(fresh, STAMP), sources);
    replace(join(root, 'dist'), fresh, `${fresh}-old`);
  } finally {
    rmSync(fresh, { recursive: true, force: true });
  }
}

/**
 * SHA-256 over names and contents of all that a build reads; tests are no part of it.
 * @param {string} root
 */
export function hashSources(root) {
  const hash = createHash('sha256');
  for (const path of SOURCES.flatMap((source) => filesIn(join(root, source)))) {
    hash
      .update(`${relative(root, path).split(sep).join('/')}\0`)
      .update(readFileSync(path))
      .update('\0');
  }
  return hash.digest('hex');
}

/**
 * @param {string} path a file, a folder, or nothing
 * @returns {string[]} in an order that is the same everywhere.
 */
function filesIn(path) {
  const entries = existsSync(path) ? readEntries(path) : [];
  if (!entries) return [path];
  return entries
    .map((entry) => join(path, entry))
    .flatMap(filesIn)
    .filter((file) => !file.endsWith('.test.ts'));
}

/**
 * @param {string} path
 * @returns {string[] | undefined} undefined for a file.
 */
function readEntries(path) {
  try {
    return readdirSync(path).toSorted();
  } catch (error) {
    if (/** @type {NodeJS.ErrnoException} */ (error).code === 'ENOTDIR') return undefined;
    throw error;
  }
}

/**
 * @param {string} place
 * @param {string} fresh
 * @param {string} old where what stood there waits for its removal
 */
function replace(place, fresh, old) {
  if (existsSync(place)) renameSync(place, old);
  renameSync(fresh, place);
  rmSync(old, { recursive: true, force: true });
}

/**
 * Folders of builds that were killed; the caller holds the lock, so none is in use.
 * @param {string} root
 */
function removeLeftovers(root) {
  for (const name of readdirSync(root)) {
    if (name.startsWith('.build-')) rmSync(join(root, name), { recursive: true, force: true });
  }
}
