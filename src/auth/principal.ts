import { randomText } from '../common/ids.js';
import { GUEST_PREFIX } from '../protocol/index.js';

/** Who is asking: the one form of a user on every transport, made from a verified token or for a guest without one. */
export interface Principal {
  readonly userId: string;
  /** Display name; at most 128 code points on one line. */
  readonly name?: string;
  readonly roles: readonly string[];
  /** Whether `roles` has `admin`. */
  readonly isAdmin: boolean;
  readonly guest: boolean;
  /** The token's own id, where it has one. */
  readonly jti?: string;
  /** When the token says that it was made, in milliseconds since 1970. */
  readonly issuedAt?: number;
  /** When the token ends, in milliseconds since 1970; `Infinity` for a guest without a token. */
  readonly expiresAt: number;
}

/** A new guest's user id: unguessable, 128 bits. */
export function newGuestId(): string {
  return GUEST_PREFIX + randomText(16);
}

/** A new guest who holds no token: good for one connection or one request (`AUTH_REQUIRED=false`). */
export function ephemeralGuest(): Principal {
  return { userId: newGuestId(), roles: [], isAdmin: false, guest: true, expiresAt: Infinity };
}
