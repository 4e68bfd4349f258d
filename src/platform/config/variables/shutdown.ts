import { integer } from '../fields.js';

/** Shutdown of the service. */
export const SHUTDOWN = {
  SHUTDOWN_GRACE_MS: integer(
    30_000,
    'Longest time from SIGTERM to the end of the process, which then exits with 1. Answers that no other process can continue may use most of it to finish.',
    { min: 100 },
  ),
  SHUTDOWN_SPREAD_MS: integer(
    5000,
    'Time after SIGTERM over which connections are closed, each at a random moment of its last 70 %, and in which answers may still end on this node. `0`: all at once. At most half of `SHUTDOWN_GRACE_MS` counts.',
  ),
};
