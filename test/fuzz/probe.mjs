import { queryObjects, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { ServerResponse } from 'node:http';
import { fileURLToPath } from 'node:url';

/**
 * Loaded into the server by `--import`: at SIGWINCH it collects the garbage and prints how large the rest is, at SIGUSR2 it
 * also counts objects, which takes a second. Each is a line that begins with `probe`; `target.ts` reads it.
 */
/** @typedef {abstract new (...args: never[]) => object} Class */

/**
 * @param {string} file
 * @param {string} name
 * @returns {Promise<[string, Class]>}
 */
async function built(file, name) {
  const url = new URL(`../../dist/src/${file}.js`, import.meta.url).href;
  const exported = /** @type {Record<string, Class>} */ (await import(url));
  return [name, /** @type {Class} */ (exported[name])];
}

/** @returns {Promise<[string, Class][]>} */
async function classes() {
  const own = await Promise.all([
    built('gateway/connections/connection', 'Connection'),
    built('gateway/rooms/room', 'Room'),
    built('gateway/events/ack', 'Reply'),
    built('streaming/viewers/viewer', 'Viewer'),
  ]);
  return [...own, ['ServerResponse', ServerResponse]];
}

async function report() {
  const known = await classes();
  /** @type {Record<string, number>} */
  const counts = {};
  // Counting collects the garbage first, and takes a tenth of a second for each class.
  for (const [name, type] of known) counts[name] = count(type);
  for (const resource of process.getActiveResourcesInfo()) counts[resource] = (counts[resource] ?? 0) + 1;
  write({ counts });
}

/**
 * @param {Class} type
 * @returns {number}
 */
function count(type) {
  return queryObjects(type, { format: 'count' });
}

/** @param {object} said */
function write(said) {
  const { heapUsed, external, rss } = process.memoryUsage();
  process.stdout.write(`probe ${JSON.stringify({ ...said, heapUsed, external, rss })}\n`);
}

// Processes that the server itself starts load this, too.
if (process.argv[1] === fileURLToPath(new URL('../../dist/src/main.js', import.meta.url))) {
  setFlagsFromString('--expose-gc');
  /** @type {() => void} */
  const collectGarbage = /** @type {never} */ (runInNewContext('gc'));
  process.on('SIGUSR2', () => void report());
  process.on('SIGWINCH', () => {
    collectGarbage();
    write({ counts: {} });
  });
}
