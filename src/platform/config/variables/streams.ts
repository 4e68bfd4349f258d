import { choice, DAY, flag, integer, MINUTE, TEN_YEARS } from '../fields.js';

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
    'Longest time that an answer may take from its first word on, without its pauses. Then it ends as `cancelled` with the reason `timeout`. The first word may take as long as `LLM_FIRST_TOKEN_TIMEOUT_MS` allows.',
    { min: 1000 },
  ),
  STREAM_MAX_PAUSE_MS: integer(
    5 * MINUTE,
    'Longest pause of an answer. Then it ends as `cancelled` with the reason `pause_timeout`.',
    { min: 100 },
  ),
  STREAM_BUFFER_BYTES: integer(
    262_144,
    'Bytes of text read ahead of the log before the provider has to wait, for instance during a pause. The same amount of written text is kept, to write it again if PostgreSQL crashes and loses it.',
    {
      min: 1024,
    },
  ),
  STREAM_HEARTBEAT_MS: integer(
    15_000,
    'Interval of heartbeats in SSE and NDJSON responses. Keep it below the idle timeouts of your proxies.',
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
    'Unsent bytes that a socket may have, not counting the largest waiting packet. Beyond that it is closed with `slow_consumer`. SSE and NDJSON readers hold far less.',
    {
      min: 16_384,
    },
  ),
  STREAM_MAX_CONCURRENT: integer(
    2000,
    'Concurrent answers on this server. Beyond that: `too_many_streams`.',
    { min: 1 },
  ),
  STREAM_MAX_PER_USER: integer(5, 'Concurrent answers of one user. Beyond that: `too_many_streams`.', {
    min: 1,
  }),
};

/** Durability of answers: which crash they survive, and how long chunks are kept. */
export const RECOVERY = {
  STREAM_DURABILITY: choice(
    ['process', 'machine', 'memory'],
    'process',
    'Which crash a piece of an answer survives once somebody has seen it: `process`, `machine` or `memory`.',
  ),
  STREAM_LEASE_MS: integer(
    15_000,
    'A process that has not renewed its lease in the database for this long counts as dead, and others take over its answers.',
    {
      min: 500,
      max: 600_000,
    },
  ),
  STREAM_CONTINUE: flag(
    true,
    'Whether answers of a dead process are continued. `false`: they end with an error, and their text is kept.',
  ),
  STREAM_MAX_CONTINUATIONS: integer(3, 'How often one answer may be continued. Then it ends with an error.', {
    max: 100,
  }),
  STREAM_RETENTION_MS: integer(
    DAY,
    'How long the chunks of an ended answer can be read, up to ten years. After that: `stream_expired`. The message stays.',
    { min: 1000, max: TEN_YEARS },
  ),
};
