import { ADDRESS } from './variables/address.js';
import { ANSWERS } from './variables/answers.js';
import { CONNECTIONS } from './variables/connections.js';
import { RECOVERY } from './variables/recovery.js';
import { DATABASE } from './variables/database.js';
import { METRICS } from './variables/metrics.js';
import { RATE_LIMITS } from './variables/limits.js';
import { PRESENCE } from './variables/presence.js';
import { PROVIDERS } from './variables/providers.js';
import { QUEUE } from './variables/queue.js';
import { SHUTDOWN } from './variables/shutdown.js';
import { TOKENS } from './variables/tokens.js';
import { TRACING } from './variables/tracing.js';

/**
 * Every variable that the service reads; sizes in bytes, times in milliseconds. A group is a table of docs/configuration.md,
 * at the place where the page names it; a new variable goes into the file of its group, and `npm run config:doc` writes
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
