import { spawnSync } from 'node:child_process';
import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/**
 * What a machine may lack, and the tests then skip. With CI=true a lack is a failure.
 * @typedef {object} Requirement
 * @property {string} name
 * @property {string} remedy What to do to have it; one sentence.
 * @property {() => string | undefined} find Where it is; undefined where it is missing.
 */

/** @satisfies {Record<string, Requirement>} */
export const REQUIREMENTS = {
  chromium: {
    name: 'Chromium, for the tests of the pages',
    remedy: 'Install chromium or Google Chrome, or set CHROMIUM_PATH to its program.',
    find: () =>
      process.env['CHROMIUM_PATH'] ||
      // The same engine without a window: it takes less than half of the time.
      onPath(
        'chromium-headless-shell',
        'chromium',
        'chromium-browser',
        'google-chrome',
        'google-chrome-stable',
      ) ||
      program('/Applications/Google Chrome.app/Contents/MacOS/Google Chrome'),
  },
  redis: {
    name: 'Redis, for the tests with more than one node',
    remedy: 'Install redis-server, or set REDIS_URL to a server that the tests may use.',
    find: () => process.env['REDIS_URL'] || onPath('redis-server'),
  },
  nginx: {
    name: 'nginx, for the tests of the shipped proxy configuration',
    remedy: 'Install nginx, or set NGINX_PATH to its program.',
    find: () => process.env['NGINX_PATH'] || onPath('nginx') || program('/usr/sbin/nginx'),
  },
  python: {
    name: 'Python with python-socketio and PyJWT, for the tests of the Python samples',
    remedy:
      'Install python3-socketio, python3-requests and python3-jwt, or set PYTHON_PATH to a Python that has them.',
    find: () =>
      process.env['PYTHON_PATH'] || [onPath('python3'), program('/usr/bin/python3')].find(hasPackages),
  },
  pgbouncer: {
    name: 'PgBouncer, for the tests of a pooler before PostgreSQL',
    remedy: 'Install pgbouncer, or set PGBOUNCER_PATH to its program.',
    find: () => process.env['PGBOUNCER_PATH'] || onPath('pgbouncer') || program('/usr/sbin/pgbouncer'),
  },
};

/** The requirements that this machine lacks. */
export function missingRequirements() {
  return Object.values(REQUIREMENTS).filter(({ find }) => find() === undefined);
}

/**
 * The first of `names` that is a program on the PATH.
 * @param {string[]} names
 */
function onPath(...names) {
  const folders = (process.env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '');
  return names.flatMap((name) => folders.map((folder) => join(folder, name))).find((path) => program(path));
}

/**
 * @param {string} path
 * @returns {string | undefined} `path` where it is a file that may be run.
 */
function program(path) {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile() ? path : undefined;
  } catch {
    return undefined;
  }
}

/**
 * @param {string | undefined} python
 * @returns {boolean} whether this Python can run the Python samples of the docs.
 */
function hasPackages(python) {
  return python !== undefined && spawnSync(python, ['-c', 'import socketio, requests, jwt']).status === 0;
}
