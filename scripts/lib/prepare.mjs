import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build, isBuilt } from './build.mjs';
import { install, lacksPostgresLinks, layPostgresLinks } from './install.mjs';
import { isInstalled } from './installed.mjs';
import { withLock } from './lock.mjs';
import { PrepareError } from './say.mjs';

/** The folder of package.json. */
export const ROOT = fileURLToPath(new URL('../..', import.meta.url));

const OLDEST_NODE = /** @type {const} */ ([20, 19]);

/**
 * Makes the checkout ready to run: installs what package-lock.json names and is missing, builds what is stale.
 * Silent, and without writing anything, where nothing is to be done. Several may run at once.
 * @param {{ dev?: boolean, root?: string }} [options] `dev` (default false): development dependencies are needed
 *   even where nothing is to be built.
 * @throws {PrepareError} with a sentence that says what to do.
 */
export async function prepare({ dev = false, root = ROOT } = {}) {
  checkNode(process.versions.node);
  if (isReady(root, dev)) return;
  checkWritable(root);
  await withLock(join(root, '.prepare.lock'), async () => {
    // Whoever held the lock before us may have done it all.
    const needsDev = dev || !isBuilt(root);
    if (!isInstalled(root, { dev: needsDev })) await install(root, { dev: needsDev });
    await layPostgresLinks(root);
    if (!isBuilt(root)) await build(root);
  });
}

/**
 * @param {string} version such as `20.19.0`
 * @throws {PrepareError} when it is too old for Streamgate.
 */
export function checkNode(version) {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (major > OLDEST_NODE[0] || (major === OLDEST_NODE[0] && minor >= OLDEST_NODE[1])) return;
  throw new PrepareError(
    `Streamgate needs Node.js ${OLDEST_NODE.join('.')} or later, and this is ${version}. ` +
      'Get a newer one from https://nodejs.org, then run the same command again.',
  );
}

/**
 * @param {string} root
 * @param {boolean} dev
 */
function isReady(root, dev) {
  return isBuilt(root) && isInstalled(root, { dev }) && !lacksPostgresLinks(root);
}

/** @param {string} root */
function checkWritable(root) {
  try {
    accessSync(root, constants.W_OK);
  } catch {
    throw new PrepareError(
      `Dependencies or the build are out of date, and ${root} is not writable for you. ` +
        'Run npm start once as the owner of this folder, or make a clone of your own.',
    );
  }
}
