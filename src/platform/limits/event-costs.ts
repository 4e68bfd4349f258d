import type { ClientEvents } from '../../protocol/index.js';

/** Parts of one point. Cheap events can cost less than a point, and counters stay whole numbers. */
export const POINT = 10;

/**
 * Costs of events in points of `RATE_LIMIT_EVENTS`; all others cost one. A client that acks each of a thousand queued
 * messages separately spends 100, and one that joins 256 conversations after a reconnect 256.
 */
export const EVENT_COSTS: Readonly<Partial<Record<keyof ClientEvents, number>>> = {
  'message:ack': 0.1,
  'typing:start': 0.2,
  'typing:stop': 0.2,
  ping: 0.5,
  'auth:refresh': 2,
  'presence:watch': 2,
  'message:history': 2,
  'stream:recover': 4,
};

/** Returns the cost of an event, known or not, in parts of a point. */
export function costOf(event: string): number {
  const cost = Object.hasOwn(EVENT_COSTS, event) ? EVENT_COSTS[event as keyof ClientEvents] : undefined;
  return Math.round((cost ?? 1) * POINT);
}
