import { PRESENCE, QUEUE } from './variables/conversations.js';
import { CONNECTIONS, RATE_LIMITS } from './variables/limits.js';
import { PROVIDERS } from './variables/providers.js';
import { ADDRESS, DATABASE, METRICS, SHUTDOWN, TRACING } from './variables/service.js';
import { ANSWERS, RECOVERY } from './variables/streams.js';
import { TOKENS } from './variables/tokens.js';

/**
 * Every variable that the service reads; sizes in bytes, times in milliseconds. A group is a table of docs/configuration.md,
 * at the place where the page names it; a new variable goes into its group, and `npm run config:doc` writes
 * the page and `.env.example`.
 */
export const GROUPS = {
  address: ADDRESS,
  database: DATABASE,
  tokens: TOKENS,
  connections: CONNECTIONS,
  limits: RATE_LIMITS,
  queue: QUEUE,
  presence: PRESENCE,
  answers: ANSWERS,
  recovery: RECOVERY,
  providers: PROVIDERS,
  metrics: METRICS,
  tracing: TRACING,
  shutdown: SHUTDOWN,
} as const;

/** The variables of all groups. */
export const VARIABLES = {
  ...ADDRESS,
  ...DATABASE,
  ...TOKENS,
  ...CONNECTIONS,
  ...RATE_LIMITS,
  ...QUEUE,
  ...PRESENCE,
  ...ANSWERS,
  ...RECOVERY,
  ...PROVIDERS,
  ...METRICS,
  ...TRACING,
  ...SHUTDOWN,
} as const;
