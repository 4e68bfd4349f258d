import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';

/**
 * What is wrong with package-lock.json: it must install the same on every machine, from whatever registry that one uses.
 * @param {string} root
 * @returns {string[]} one sentence for each fault.
 */
export function lockfileFaults(root) {
  const text = readFileSync(join(root, 'package-lock.json'), 'utf8');
  /** @typedef {{ resolved?: string, link?: boolean, version?: string, integrity?: string, optionalDependencies?: object }} Entry */
  const { packages } = /** @type {{ packages: Record<string, Entry> }} */ (JSON.parse(text));
  const paths = Object.keys(packages);
  const isLocked = (/** @type {string} */ name) =>
    paths.some((path) => path.endsWith(`node_modules/${name}`));
  const faults = [...rootFaults(root, packages[''])];
  for (const [path, entry] of Object.entries(packages)) {
    if (entry.resolved && /^\w+:|^\//.test(entry.resolved)) {
      faults.push(`${path} is bound to one place: ${entry.resolved}`);
    }
    if (path.includes('node_modules/') && !entry.link && !entry.integrity)
      faults.push(`${path} has no integrity.`);
    // npm leaves out an optional package that it could not get, and npm ci then refuses the whole lock file.
    for (const name of Object.keys(entry.optionalDependencies ?? {})) {
      if (!isLocked(name)) faults.push(`${path || 'package.json'} wants ${name}, which is not locked.`);
    }
  }
  return faults;
}

/**
 * What package.json wants and the lock file does not know of.
 * @param {string} root
 * @param {object | undefined} locked the lock file's copy of package.json
 */
function rootFaults(root, locked) {
  const wanted = /** @type {Record<string, unknown>} */ (
    JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  );
  const known = /** @type {Record<string, unknown>} */ (locked ?? {});
  return ['dependencies', 'devDependencies', 'optionalDependencies']
    .filter((kind) => !isDeepStrictEqual(wanted[kind], known[kind]))
    .map((kind) => `The ${kind} of package.json are not those that are locked: run npm install.`);
}
