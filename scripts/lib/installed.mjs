import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * @typedef {object} LockedPackage An entry of a package-lock.json.
 * @property {string} [version]
 * @property {boolean} [dev]
 * @property {boolean} [optional]
 * @property {boolean} [devOptional]
 * @property {boolean} [link]
 * @property {string[]} [os]
 * @property {string[]} [cpu]
 * @property {string[]} [libc]
 */

/** npm's own account of what lies in node_modules; it writes it last. */
const TREE = join('node_modules', '.package-lock.json');
/** Our note that `npm ci` ran for this lock file on this platform, whatever optional packages it could not get. */
const STAMP = join('node_modules', '.streamgate-install');

/**
 * Whether node_modules holds what package-lock.json names.
 * Judged by content, so a checkout that only touched the files installs nothing.
 * @param {string} root
 * @param {{ dev: boolean }} options `dev`: development dependencies must be there too.
 */
export function isInstalled(root, { dev }) {
  const tree = readPackages(join(root, TREE));
  if (!tree) return false;
  const locked = readPackages(join(root, 'package-lock.json')) ?? {};
  const wanted = Object.entries(locked).filter(
    ([path, entry]) => path !== '' && !entry.link && (dev || !(entry.dev || entry.devOptional)),
  );
  return wanted.every(([path, entry]) => {
    const present = tree[path];
    if (present) return present.version === entry.version;
    if (!entry.optional && !entry.devOptional) return false;
    return !isForThisPlatform(entry) || wasTried(root);
  });
}

/**
 * Notes that the install ran to its end.
 * @param {string} root
 */
export function stampInstall(root) {
  writeFileSync(join(root, STAMP), stampOf(root));
}

/** @param {string} root */
function wasTried(root) {
  const path = join(root, STAMP);
  return existsSync(path) && readFileSync(path, 'utf8') === stampOf(root);
}

/** @param {string} root */
function stampOf(root) {
  const lock = readFileSync(join(root, 'package-lock.json'));
  return `${process.platform}-${process.arch} ${createHash('sha256').update(lock).digest('hex')}\n`;
}

/**
 * Packages without an os or for one libc only are not judged: only npm knows whether it wants them.
 * @param {LockedPackage} entry
 */
function isForThisPlatform({ os, cpu, libc }) {
  return !libc && !!os?.includes(process.platform) && !!cpu?.includes(process.arch);
}

/**
 * @param {string} path
 * @returns {Record<string, LockedPackage> | undefined} undefined where there is no such file.
 */
function readPackages(path) {
  if (!existsSync(path)) return undefined;
  const lock = /** @type {{ packages?: Record<string, LockedPackage> }} */ (
    JSON.parse(readFileSync(path, 'utf8'))
  );
  return lock.packages;
}
