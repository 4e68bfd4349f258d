import { randomBytes } from 'node:crypto';
import { v7 } from 'uuid';

/** A new time-ordered id (UUID version 7, RFC 9562) for messages, streams and nodes. */
export function newId(): string {
  return v7();
}

/** `bytes` of unguessable randomness as base64url text. */
export function randomText(bytes: number): string {
  return randomBytes(bytes).toString('base64url');
}
