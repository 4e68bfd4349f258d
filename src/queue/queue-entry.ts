import { COUNT, enumOf, optional, objectSchema, TEXT, TIME } from '../protocol/schemas/schema.js';

export type DeliveryState = 'queued' | 'expired' | 'dropped' | 'failed';

/** A delivery as the operator and the user see it over HTTP (protocol section 5). */
export interface QueueEntry {
  queueId: string;
  kind: 'message' | 'system';
  conversationId?: string;
  seq?: number;
  state: DeliveryState;
  attempts: number;
  queuedAt: string;
  expiresAt: string;
}

/** The schema of a {@link QueueEntry}. */
export const ENTRY = objectSchema<QueueEntry>({
  queueId: TEXT,
  kind: enumOf<QueueEntry['kind']>({ message: true, system: true }),
  conversationId: optional(TEXT),
  seq: optional(COUNT),
  state: enumOf<DeliveryState>({ queued: true, expired: true, dropped: true, failed: true }),
  attempts: COUNT,
  queuedAt: TIME,
  expiresAt: TIME,
});
