import {
  AreUserIds,
  IsMetadata,
  IsOneOf,
  IsUserId,
  NEXT_CURSOR,
  Optional,
  PageLimit,
} from '../platform/validation/rules.js';
import { LIMITS, type PresencePayload, type PresenceStatus } from '../protocol/index.js';

const STATUSES: PresenceStatus[] = ['online', 'away', 'busy', 'offline'];

/** Payload of `presence:update`. */
export class PresenceDto implements PresencePayload {
  @IsOneOf(STATUSES)
  status: PresenceStatus;

  @Optional()
  @IsMetadata()
  metadata?: Record<string, unknown>;
}

/** Payload of `presence:watch` and `presence:unwatch`. */
export class WatchDto {
  @AreUserIds(LIMITS.watchedUsers)
  userIds: string[];
}

/** Query of `GET /api/ws/presence/online`. */
export class OnlineQueryDto {
  @PageLimit()
  limit?: number;

  @Optional(NEXT_CURSOR)
  @IsUserId()
  cursor?: string;
}
