import { mkdir, rename, rm, stat, utimes } from 'node:fs/promises';
import { rmSync } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';
import { say } from './say.mjs';

const BEAT_MS = 1000;
const STALE_AFTER_MS = 10_000;
const POLL_MS = 250;

/**
 * Runs `work` while holding the folder `path` as a lock, so that two launchers never install or build at once.
 * The holder touches the folder every second; a lock that was not touched for ten is left over from a
 * killed process and is taken. (Not by pid: two containers may share the checkout.)
 * @template T
 * @param {string} path
 * @param {() => Promise<T>} work
 * @param {{ staleAfterMs?: number }} [options]
 * @returns {Promise<T>}
 */
export async function withLock(path, work, { staleAfterMs = STALE_AFTER_MS } = {}) {
  await acquire(path, staleAfterMs);
  const beat = setInterval(() => {
    // A lock that somebody deleted by hand is no reason to stop what is nearly done.
    utimes(path, new Date(), new Date()).catch(() => {});
  }, BEAT_MS);
  const releaseNow = () => rmSync(path, { recursive: true, force: true });
  process.once('exit', releaseNow);
  try {
    return await work();
  } finally {
    clearInterval(beat);
    process.off('exit', releaseNow);
    releaseNow();
  }
}

/**
 * @param {string} path
 * @param {number} staleAfterMs
 */
async function acquire(path, staleAfterMs) {
  let told = false;
  while (!(await tryMake(path))) {
    const held = await statIfThere(path);
    if (!held) continue;
    if (Date.now() - held.mtimeMs > staleAfterMs) {
      await removeStale(path, held.ino);
      continue;
    }
    if (!told) say('Another process is installing or building here; waiting for it …');
    told = true;
    await wait(POLL_MS);
  }
}

/** @param {string} path */
async function tryMake(path) {
  try {
    await mkdir(path);
    return true;
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
    throw error;
  }
}

/**
 * Removes the lock that was seen to be stale, and no other: between the look and the removal a second
 * waiter may have removed it and taken the lock itself. A rename is atomic and keeps the inode.
 * @param {string} path
 * @param {number} ino
 */
async function removeStale(path, ino) {
  const aside = `${path}-${process.pid}`;
  try {
    await rename(path, aside);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return;
    throw error;
  }
  if ((await stat(aside)).ino === ino) await rm(aside, { recursive: true, force: true });
  else await rename(aside, path);
}

/** @param {string} path */
async function statIfThere(path) {
  try {
    return await stat(path);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** @param {unknown} error */
function codeOf(error) {
  return /** @type {NodeJS.ErrnoException} */ (error).code;
}
