import { flag, integer } from '../fields.js';
import { MINUTE } from './durations.js';

/** Pace, size and number of answers. */
export const ANSWERS = {
  STREAM_CHUNK_BYTES: integer(1024, 'A chunk is written when it has grown to this size …', {
    min: 1,
    max: 65_536,
  }),
  STREAM_CHUNK_DELAY_MS: integer(
    50,
    '… or when its first piece is this old. The very first piece of an answer goes at once.',
    { max: 5000 },
  ),
  STREAM_TIMEOUT_MS: integer(
    5 * MINUTE,
    'Longest life of an answer, without its pauses; then it is ended as `cancelled` with the reason `timeout`.',
    { min: 1000 },
  ),
  STREAM_MAX_PAUSE_MS: integer(
    5 * MINUTE,
    'Longest pause of an answer; then it is ended as `cancelled` with the reason `pause_timeout`.',
    { min: 100 },
  ),
  STREAM_BUFFER_BYTES: integer(
    262_144,
    'Text that is read ahead of the log before the provider has to wait, such as while the answer is paused; and as much of what was written is kept to be written again if PostgreSQL crashes and loses it.',
    {
      min: 1024,
    },
  ),
  STREAM_HEARTBEAT_MS: integer(
    15_000,
    'How often an SSE or NDJSON response says that it is alive. Keep it below the idle time-outs of your proxies.',
    {
      min: 100,
    },
  ),
  STREAM_RECOVERY_ENABLED: flag(
    true,
    '`false`: `stream:recover` and its route are refused with `forbidden`. Reading over SSE and HTTP is not.',
  ),
  VIEWER_MAX_BUFFERED_BYTES: integer(
    1_048_576,
    'Data waiting for a socket that does not read; beyond it the socket is closed with `slow_consumer`. SSE and HTTP readers hold far less.',
    {
      min: 16_384,
    },
  ),
  STREAM_MAX_CONCURRENT: integer(
    2000,
    'Answers in production at once on this server; beyond it, `too_many_streams`.',
    { min: 1 },
  ),
  STREAM_MAX_PER_USER: integer(
    5,
    'Answers in production at once for one user; beyond it, `too_many_streams`.',
    { min: 1 },
  ),
};
