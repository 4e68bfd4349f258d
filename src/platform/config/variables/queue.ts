import { integer } from '../fields.js';
import { DAY, TEN_YEARS } from './durations.js';

/** The queue for absent users. */
export const QUEUE = {
  QUEUE_MAX_SIZE: integer(
    1000,
    'Messages that may wait for one user. Beyond that the oldest are dropped and counted, and the client is told how many.',
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
