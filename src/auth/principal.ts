import { randomText } from '../common/ids.js';
import { GUEST_PREFIX } from '../protocol/index.js';

/** The user who makes a request, on any transport: from a verified token, or a guest without one. */
export interface Principal {
  readonly userId: string;
  /** Display name; at most 128 code points on one line. */
  readonly name?: string;
  readonly roles: readonly string[];
  /** Whether `roles` has `admin`. */
  readonly isAdmin: boolean;
  readonly guest: boolean;
  /** The token's id, if it has one. */
  readonly jti?: string;
  /** The token's `iat`, in milliseconds since 1970. */
  readonly issuedAt?: number;
  /** When the token expires, in milliseconds since 1970; `Infinity` for a guest without a token. */
  readonly expiresAt: number;
}

/** Makes a user id for a new guest: 128 random bits. */
export function newGuestId(): string {
  return GUEST_PREFIX + randomText(16);
}

/** Makes a guest without a token, for one connection or one request (`AUTH_REQUIRED=false`). */
export function ephemeralGuest(): Principal {
  return { userId: newGuestId(), roles: [], isAdmin: false, guest: true, expiresAt: Infinity };
}
