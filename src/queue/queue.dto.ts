import {
  IsContent,
  IsMatching,
  IsMetadata,
  NEXT_CURSOR,
  Optional,
  PageLimit,
} from '../platform/validation/rules.js';
import { COUNT, enumOf, optional, objectSchema, TEXT, TIME } from '../protocol/schemas/schema.js';
import type { EndedState } from './delivery.entity.js';

const CURSOR = /^\d{1,18}$/;

/** Query of `GET /api/ws/queue/:userId`. */
export class QueuePageDto {
  @PageLimit()
  limit?: number;

  @Optional(NEXT_CURSOR)
  @IsMatching(CURSOR, 'the nextCursor of the previous page')
  cursor?: string;
}

/** Body of a system message. */
export class SystemMessageDto {
  @IsContent()
  content: string;

  @Optional()
  @IsMetadata()
  metadata?: Record<string, unknown>;
}

/** Whether a delivery waits, or how it ended without an ack. */
export type DeliveryState = 'queued' | EndedState;

/** A delivery as users and admins see it over HTTP (protocol section 5). */
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

/** Schema of a {@link QueueEntry}. */
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
