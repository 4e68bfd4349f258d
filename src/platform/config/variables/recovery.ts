import { choice, flag, integer } from '../fields.js';
import { DAY, TEN_YEARS } from './durations.js';

/** What of an answer survives which crash, and for how long. */
export const RECOVERY = {
  STREAM_DURABILITY: choice(
    ['process', 'machine', 'memory'],
    'process',
    'What a piece of an answer that somebody saw survives: `process`, `machine` or `memory`.',
  ),
  STREAM_LEASE_MS: integer(
    15_000,
    'A process that has not renewed its sign of life in the database for so long counts as dead; its answers are then taken over.',
    {
      min: 500,
      max: 600_000,
    },
  ),
  STREAM_CONTINUE: flag(
    true,
    'Whether answers of a dead process are continued. `false`: they are ended with an error, and their text is kept.',
  ),
  STREAM_MAX_CONTINUATIONS: integer(
    3,
    'How often one answer may be continued; then it is ended with an error.',
    { max: 100 },
  ),
  STREAM_RETENTION_MS: integer(
    DAY,
    'How long the chunks of an ended answer can be read, up to ten years; later it is `stream_expired`. The message stays.',
    { min: 1000, max: TEN_YEARS },
  ),
};
