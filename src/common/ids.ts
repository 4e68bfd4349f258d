import { randomBytes, randomFillSync } from 'node:crypto';
import { v7 } from 'uuid';

const ID_BYTES = 16;
/** Asking the operating system costs much the same for one id and for many. */
const pool = Buffer.alloc(256 * ID_BYTES);
let used = pool.length;

/** A new time-ordered id (UUID version 7, RFC 9562) for messages, streams and nodes. Within a millisecond their order is any. */
export function newId(): string {
  if (used === pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  const random = pool.subarray(used, used + ID_BYTES);
  used += ID_BYTES;
  return v7({ random });
}

/** `bytes` of unguessable randomness as base64url text. */
export function randomText(bytes: number): string {
  return randomBytes(bytes).toString('base64url');
}

/** The identity of this process. The id is new at every start, so that a restarted process is never mistaken for the one before. */
export class NodeIdentity {
  readonly id = newId();
}
