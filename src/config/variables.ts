import {
  choice,
  flag,
  integer,
  list,
  optionalChoice,
  optionalFlag,
  optionalText,
  optionalUrl,
  text,
} from './fields.js';

const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;

/** Every variable that the service reads, in the order of the documentation (design section 7). Sizes in bytes, times in milliseconds. */
export const VARIABLES = {
  PORT: integer(3000, 'Port to listen on; 0 takes a free one.', { max: 65_535 }),
  HOST: text('127.0.0.1', 'Address to listen on; 0.0.0.0 for all.'),
  DATABASE_URL: optionalUrl(
    ['postgres:', 'postgresql:'],
    'Your own PostgreSQL 15 or later. Unset: an embedded PostgreSQL keeps its data under DATA_DIR.',
  ),
  DATA_DIR: text('./data', 'Folder for the embedded database and for secrets that were made here.'),
  DATABASE_POOL_SIZE: integer(10, 'Connections to PostgreSQL for reads and rare writes.', {
    min: 2,
    max: 1000,
  }),
  REDIS_URL: optionalText('Not supported yet: leave it unset.', () => {
    throw new Error('is not supported yet: Streamgate runs as one node; leave it unset');
  }),
  AUTH_REQUIRED: flag(
    true,
    'false: who connects without a token is a new guest. A bad token is refused either way.',
  ),
  AUTH_JWT_SECRET: list(
    'Shared secret (HS256) of your tokens, at least 32 characters. Several, separated by commas: the first signs, each is good. Unset outside production: one is made and kept in DATA_DIR.',
    (secret) => {
      if (secret.length < 32) throw new Error('must have at least 32 characters (a comma separates secrets)');
    },
  ),
  AUTH_JWKS_URL: optionalUrl(['https:', 'http:'], 'Where the public keys of your tokens are (JWKS).'),
  AUTH_JWT_PUBLIC_KEY: optionalText(
    'Public key of your tokens, or several: PEM (SPKI), line ends may be written as \\n.',
  ),
  AUTH_ISSUER: optionalText('Tokens must have this iss.'),
  AUTH_AUDIENCE: optionalText('Tokens must have this aud.'),
  GUEST_ACCESS: optionalFlag(
    'Whether anybody may take a guest token. Unset: true outside production, false in it.',
  ),
  GUEST_TOKEN_TTL_MS: integer(30 * DAY, 'How long a guest token is good.', { min: 1000, max: 3650 * DAY }),
  TICKET_TTL_MS: integer(600_000, 'How long a stream ticket is good.', { min: 1000, max: DAY }),
  TOKEN_EXPIRY_GRACE_MS: integer(
    25_000,
    'How long a connection may stay after its token has expired; auth:refresh saves it.',
    { max: DAY },
  ),
  CORS_ORIGINS: list('Origins of other sites that may use the service from a browser, separated by commas.'),
  HEARTBEAT_INTERVAL_MS: integer(25_000, 'How often Socket.IO pings a client.', { min: 100 }),
  HEARTBEAT_TIMEOUT_MS: integer(20_000, 'How long a client may take to answer a ping.', { min: 100 }),
  CONNECTION_IDLE_TIMEOUT_MS: integer(
    0,
    'A connection without any event of its client for so long is closed; 0: never.',
  ),
  TYPING_TIMEOUT_MS: integer(5000, 'How long a typing indicator lasts that is not renewed.', { min: 100 }),
  PRESENCE_AWAY_AFTER_MS: integer(
    5 * MINUTE,
    'After how long without any event, on any device, a user is away.',
    { min: 100 },
  ),
  PRESENCE_LEAVE_GRACE_MS: integer(
    5000,
    'How long a user whose last device has gone may take to come back before being offline.',
  ),
  PRESENCE_LEASE_MS: integer(
    30_000,
    'After how long without a sign of its process a connection counts as gone.',
    { min: 300, max: 600_000 },
  ),
  MAX_PAYLOAD_BYTES: integer(65_536, 'Largest event or request body.', { min: 1024 }),
  MAX_MESSAGE_CHARS: integer(16_000, 'Longest message, in Unicode code points.', { min: 1 }),
  MAX_CONVERSATION_MEMBERS: integer(256, 'Members that one conversation may have.', { min: 1, max: 10_000 }),
  QUEUE_MAX_SIZE: integer(1000, 'Messages that may wait for one user; the oldest beyond it are dropped.', {
    min: 1,
  }),
  QUEUE_TTL_MS: integer(DAY, 'How long a message waits for its recipient.', { min: 1000 }),
  QUEUE_ACK_TIMEOUT_MS: integer(10_000, 'How long a client may take to ack what it is offered.', {
    min: 100,
  }),
  QUEUE_MAX_ATTEMPTS: integer(10, 'Offers without an ack after which a delivery has failed.', {
    min: 1,
    max: 1000,
  }),
  STREAM_CHUNK_BYTES: integer(1024, 'A chunk is written when it has this many bytes …', {
    min: 1,
    max: 65_536,
  }),
  STREAM_CHUNK_DELAY_MS: integer(50, '… or when its first delta is this old.', { max: 5000 }),
  STREAM_HEARTBEAT_MS: integer(15_000, 'How often a silent SSE or NDJSON response says that it is alive.', {
    min: 100,
  }),
  STREAM_TIMEOUT_MS: integer(5 * MINUTE, 'Longest life of an answer; then it is cancelled.', { min: 1000 }),
  STREAM_MAX_PAUSE_MS: integer(5 * MINUTE, 'Longest pause of an answer; then it is cancelled.', { min: 100 }),
  STREAM_BUFFER_BYTES: integer(262_144, 'Text read ahead of the log before the provider is made to wait.', {
    min: 1024,
  }),
  STREAM_RETENTION_MS: integer(DAY, 'How long the chunks of an ended answer are kept. Its message stays.', {
    min: 1000,
  }),
  STREAM_DURABILITY: choice(
    ['process', 'machine', 'memory'],
    'process',
    'What a chunk that was seen survives: the death of this process; also that of the machine; or nothing.',
  ),
  STREAM_LEASE_MS: integer(15_000, 'After how long without a sign a process counts as dead.', {
    min: 500,
    max: 600_000,
  }),
  STREAM_CONTINUE: flag(true, 'Whether answers of a dead process are continued; false: they are ended.'),
  STREAM_MAX_CONTINUATIONS: integer(3, 'How often one answer may be continued.', { max: 100 }),
  STREAM_RECOVERY_ENABLED: flag(true, 'false: stream:recover and its route are refused.'),
  STREAM_MAX_CONCURRENT: integer(2000, 'Answers in production at once on this node.', { min: 1 }),
  STREAM_MAX_PER_USER: integer(5, 'Answers in production at once for one user.', { min: 1 }),
  VIEWER_MAX_BUFFERED_BYTES: integer(
    1_048_576,
    'Unsent data at which a socket that does not read is closed.',
    {
      min: 16_384,
    },
  ),
  PROVIDER: optionalChoice(
    ['guide', 'openai-compatible'],
    'Who answers. Unset: guide without LLM_BASE_URL, openai-compatible with it.',
  ),
  LLM_BASE_URL: optionalUrl(
    ['https:', 'http:'],
    'Base URL of a chat completions API, such as http://127.0.0.1:11434/v1.',
  ),
  LLM_API_KEY: optionalText('Key for it, where it wants one.'),
  LLM_MODEL: optionalText('Model to ask for by default.'),
  LLM_MODELS: list('Further models that clients may ask for, separated by commas.'),
  LLM_TIMEOUT_MS: integer(5 * MINUTE, 'Longest time for one whole answer of the provider.', { min: 100 }),
  LLM_IDLE_TIMEOUT_MS: integer(60_000, 'Longest silence of the provider.', { min: 100 }),
  LLM_CONTINUE: flag(
    false,
    'Whether the model goes on behind a last message of the assistant: interrupted answers are then continued.',
  ),
  GUIDE_WORDS_PER_SECOND: integer(40, 'Pace of the embedded guide; 0: as fast as it can.', { max: 100_000 }),
  SHUTDOWN_GRACE_MS: integer(30_000, 'Longest time from SIGTERM to the exit.', { min: 100 }),
  LOG_LEVEL: choice(
    ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'],
    'info',
    'How much is logged.',
  ),
  NODE_ENV: choice(
    ['development', 'production', 'test'],
    'development',
    'production turns conveniences off.',
  ),
} as const;
