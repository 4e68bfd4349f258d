import { integer } from '../fields.js';
import { DAY } from './durations.js';

/** Connections, and what they may send. */
export const CONNECTIONS = {
  MAX_CONNECTIONS: integer(
    10_000,
    'Socket.IO connections that this server holds at once, also those that are only being made. Beyond it handshakes are refused with `503` and `too_many_connections`; clients try again by themselves.',
    { min: 1 },
  ),
  MAX_CONNECTIONS_PER_USER: integer(
    20,
    'Socket.IO connections of one user on this server; one more is refused with `too_many_connections` by `connect_error`. As many SSE and NDJSON responses may read answers beside them; one more is `503`.',
    { min: 1 },
  ),
  // Clients wait for the sum of both by one timer.
  HEARTBEAT_INTERVAL_MS: integer(
    25_000,
    'How often Socket.IO asks whether a client is there, at least once a day.',
    { min: 100, max: DAY },
  ),
  HEARTBEAT_TIMEOUT_MS: integer(20_000, 'How long a client may take to answer that, at most a day.', {
    min: 100,
    max: DAY,
  }),
  CONNECTION_IDLE_TIMEOUT_MS: integer(
    0,
    'A connection whose client sends no event for so long is closed with `idle_timeout`; `0` is never. Dead clients are found by the heartbeat.',
  ),
  MAX_PAYLOAD_BYTES: integer(
    65_536,
    'Largest event or request body. Larger is `payload_too_large`; an event of more than four times this closes the transport.',
    { min: 1024 },
  ),
  MAX_MESSAGE_CHARS: integer(16_000, 'Longest message, in Unicode code points.', { min: 1 }),
  MAX_CONVERSATION_MEMBERS: integer(256, 'Members that one conversation may have.', { min: 1, max: 10_000 }),
};
