import { DAY, integer, MINUTE, TEN_YEARS } from '../fields.js';

/** The queue for absent users. */
export const QUEUE = {
  QUEUE_MAX_SIZE: integer(
    1000,
    'Messages that may wait for one user. Beyond that the oldest are dropped and counted, and the client receives their number.',
    {
      min: 1,
    },
  ),
  QUEUE_TTL_MS: integer(
    DAY,
    'How long a message waits for its recipient, up to ten years. An expired message is still in the history.',
    { min: 1000, max: TEN_YEARS },
  ),
  QUEUE_ACK_TIMEOUT_MS: integer(
    10_000,
    'How long a client may take to ack a delivery before it is offered again.',
    {
      min: 100,
    },
  ),
  QUEUE_MAX_ATTEMPTS: integer(
    10,
    'Offers without an ack after which a delivery counts as failed. It is kept for the operator to see.',
    {
      min: 1,
      max: 1000,
    },
  ),
};

/** Presence and typing. */
export const PRESENCE = {
  TYPING_TIMEOUT_MS: integer(5000, 'How long a typing indicator lasts that is not renewed.', { min: 100 }),
  PRESENCE_AWAY_AFTER_MS: integer(
    5 * MINUTE,
    'Time without an event from any device after which a user is `away`.',
    { min: 100 },
  ),
  PRESENCE_LEAVE_GRACE_MS: integer(
    5000,
    'Time after the last device has disconnected until the user is `offline`.',
  ),
  PRESENCE_LEASE_MS: integer(
    30_000,
    'Time without a renewal by its server process after which a connection counts as gone, 300 to 600000.',
    { min: 300, max: 600_000 },
  ),
};
