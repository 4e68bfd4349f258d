import { randomBytes, randomFillSync } from 'node:crypto';
import { v7 } from 'uuid';

const ID_BYTES = 16;
/** A request to the operating system costs about the same for one id and for many. */
const pool = Buffer.alloc(256 * ID_BYTES);
let used = pool.length;

/**
 * Returns a new time-ordered id (UUID version 7, RFC 9562) for messages, streams and nodes. Ids of the same millisecond
 * have no order.
 */
export function newId(): string {
  if (used === pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  const random = pool.subarray(used, used + ID_BYTES);
  used += ID_BYTES;
  return v7({ random });
}

/** Returns `bytes` random bytes that cannot be guessed, as base64url text. */
export function randomText(bytes: number): string {
  return randomBytes(bytes).toString('base64url');
}

/** The identity of this process. The id is new at every start, so that a restarted process is never mistaken for the one before. */
export class NodeIdentity {
  readonly id = newId();
}
