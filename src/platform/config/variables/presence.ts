import { integer } from '../fields.js';
import { MINUTE } from './durations.js';

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
