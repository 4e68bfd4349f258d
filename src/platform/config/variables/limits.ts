import { flag } from '../fields.js';
import { rate, rates } from '../limit-fields.js';

/** Rate limits. */
export const RATE_LIMITS = {
  RATE_LIMIT_ENABLED: flag(true, '`false`: none of the limits of this table holds.'),
  RATE_LIMIT_EVENTS: rate(
    '400/10',
    'Socket.IO events, as `points/seconds`: of one connection, and of one user over all connections. [What each costs](deployment.md#choose-rate-limits-and-caps).',
  ),
  RATE_LIMIT_STREAMS: rate('20/60', 'Answers that one user may start, on any transport.'),
  RATE_LIMIT_CONNECTS: rates('30/10,1000/10', 'Socket.IO connections that are begun: per user, per address.'),
  RATE_LIMIT_HTTP: rates(
    '300/10,3000/10',
    'HTTP requests per user, and per address. Health probes and long polling each have a limit of the same size per address.',
  ),
  RATE_LIMIT_AUTH_FAILURES: rate(
    '100/60',
    'Refused tokens per address, on any transport. Beyond that, further failures are `rate_limited`. A valid token always passes.',
  ),
};
