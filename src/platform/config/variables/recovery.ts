import { choice, flag, integer } from '../fields.js';
import { DAY, TEN_YEARS } from './durations.js';

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
