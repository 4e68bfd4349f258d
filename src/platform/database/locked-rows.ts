import { setTimeout as delay } from 'node:timers/promises';
import { isLockFault, sqlStateOf } from './errors.js';

/** How long a statement is tried again while another session holds the row that it needs, in milliseconds. */
const RETRY_FOR_MS = 3500;
const FIRST_RETRY_MS = 25;
const LONGEST_RETRY_MS = 400;

/**
 * Runs a statement with a short `lock_timeout`, and runs it again while another session holds the row that it needs. It
 * waits here instead of on its connection, which is free for statements about other rows (P7).
 * @throws what the statement throws; its lock fault after 3.5 s.
 */
export async function retryWhileLocked<T>(run: () => Promise<T>): Promise<T> {
  const giveUpAt = performance.now() + RETRY_FOR_MS;
  for (let retryMs = FIRST_RETRY_MS; ; retryMs = Math.min(2 * retryMs, LONGEST_RETRY_MS)) {
    try {
      return await run();
    } catch (fault) {
      if (!isLocked(fault) || performance.now() + retryMs >= giveUpAt) throw fault;
      await delay(retryMs);
    }
  }
}

/** PostgreSQL reports a lock timeout as a cancelled query (57014) where it got the lock in the moment when the time was up. */
function isLocked(fault: unknown): boolean {
  return isLockFault(fault) || sqlStateOf(fault) === '57014';
}
