import { DAY, flag, integer } from '../fields.js';
import { rate, rates } from '../limit-fields.js';

/** Connections, and what they may send. */
export const CONNECTIONS = {
  MAX_CONNECTIONS: integer(
    10_000,
    'Concurrent Socket.IO connections on this server, those in their handshake included. Beyond that, handshakes are refused with `503` and `too_many_connections`; clients retry by themselves.',
    { min: 1 },
  ),
  MAX_CONNECTIONS_PER_USER: integer(
    20,
    'Concurrent Socket.IO connections of one user on this server. At the cap, a new one replaces the least recently active connection of the same device, or of the device with the most; where each device has only one, it gets a `connect_error` with `too_many_connections`. SSE and NDJSON responses have a limit of the same size; one more is `503`.',
    { min: 1 },
  ),
  // Clients wait for the sum of both by one timer.
  HEARTBEAT_INTERVAL_MS: integer(25_000, 'Interval of Socket.IO’s heartbeats, at most a day.', {
    min: 100,
    max: DAY,
  }),
  HEARTBEAT_TIMEOUT_MS: integer(
    20_000,
    'How long a client may take to respond to a heartbeat, at most a day.',
    {
      min: 100,
      max: DAY,
    },
  ),
  CONNECTION_IDLE_TIMEOUT_MS: integer(
    0,
    'A connection whose client sends no event for this long is closed with `idle_timeout`. `0`: never. The heartbeat finds dead clients.',
  ),
  MAX_PAYLOAD_BYTES: integer(
    65_536,
    'Largest event or request body. A larger one is `payload_too_large`; an event of more than four times this size closes the transport.',
    { min: 1024 },
  ),
  MAX_MESSAGE_CHARS: integer(16_000, 'Longest message, in Unicode code points.', { min: 1 }),
  MAX_CONVERSATION_MEMBERS: integer(256, 'Members that one conversation may have.', { min: 1, max: 10_000 }),
};

/** Rate limits. */
export const RATE_LIMITS = {
  RATE_LIMIT_ENABLED: flag(true, '`false`: none of these rate limits applies.'),
  RATE_LIMIT_EVENTS: rate(
    '400/10',
    'Socket.IO events, as `points/seconds`: of one connection, and of one user over all connections. [What each costs](deployment.md#choose-rate-limits-and-caps).',
  ),
  RATE_LIMIT_STREAMS: rate('20/60', 'Answers that one user may start, on any transport.'),
  RATE_LIMIT_CONNECTS: rates('30/10,1000/10', 'New Socket.IO connections: per user, and per address.'),
  RATE_LIMIT_HTTP: rates(
    '300/10,3000/10',
    'HTTP requests per user, and per address. Health probes and long polling each have a limit of the same size per address.',
  ),
  RATE_LIMIT_AUTH_FAILURES: rate(
    '100/60',
    'Refused tokens per address, on any transport. Beyond that, further failures are `rate_limited`. A valid token always passes.',
  ),
};
