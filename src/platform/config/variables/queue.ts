import { integer } from '../fields.js';
import { DAY, TEN_YEARS } from './durations.js';

/** What waits for who is away. */
export const QUEUE = {
  QUEUE_MAX_SIZE: integer(
    1000,
    'Messages that may wait for one user; the oldest beyond it are dropped, counted and told.',
    {
      min: 1,
    },
  ),
  QUEUE_TTL_MS: integer(
    DAY,
    'How long a message waits for its recipient, up to ten years; then it has expired, and is still in history.',
    { min: 1000, max: TEN_YEARS },
  ),
  QUEUE_ACK_TIMEOUT_MS: integer(
    10_000,
    'How long a client may take to ack what it is offered; then it is offered again.',
    {
      min: 100,
    },
  ),
  QUEUE_MAX_ATTEMPTS: integer(
    10,
    'Offers without an ack after which a delivery has failed; it is kept for the operator to see.',
    {
      min: 1,
      max: 1000,
    },
  ),
};
