import type { ErrorCode } from '../../protocol/index.js';

interface Disconnect {
  /** The sentence that the client gets with the code. */
  message: string;
  /**
   * Whether an unmodified client reconnects by itself: the transport is closed, not the namespace. Otherwise it stays
   * away until it is told to connect again, such as with a new token (protocol section 3).
   */
  reconnect: boolean;
}

/** Every reason for which the server closes a connection, by the code of its `connection:closing` (protocol section 4.3.9). */
export const DISCONNECTS = {
  token_expired: { message: 'The token has expired.', reconnect: false },
  unauthenticated: { message: 'The token was revoked.', reconnect: false },
  forbidden: { message: 'This connection was closed by its user or an operator.', reconnect: false },
  // If it came back by itself, it would take the place of another: as many tabs as the cap and one more would never rest.
  too_many_connections: {
    message: 'A newer connection of this user took its place. Close another one, then connect again.',
    reconnect: false,
  },
  rate_limited: { message: 'Too many events on this connection. Slow down.', reconnect: true },
  idle_timeout: { message: 'The client sent nothing for too long.', reconnect: true },
  slow_consumer: {
    message: 'The client did not read fast enough. Reconnect, join with afterSeq and recover.',
    reconnect: true,
  },
} as const satisfies Partial<Record<ErrorCode, Disconnect>>;

export type DisconnectCode = keyof typeof DISCONNECTS;
