import { integer } from '../fields.js';
import { MINUTE } from './durations.js';

/** Who is there, and who is typing. */
export const PRESENCE = {
  TYPING_TIMEOUT_MS: integer(5000, 'How long a typing indicator lasts that is not renewed.', { min: 100 }),
  PRESENCE_AWAY_AFTER_MS: integer(
    5 * MINUTE,
    'After how long without any event, on any device, a user is `away`.',
    { min: 100 },
  ),
  PRESENCE_LEAVE_GRACE_MS: integer(
    5000,
    'How long a user whose last device has gone may take to come back before being `offline`.',
  ),
  PRESENCE_LEASE_MS: integer(
    30_000,
    'After how long without a sign of its server process a connection counts as gone, 300 to 600000.',
    { min: 300, max: 600_000 },
  ),
};
