import { ApiPropertyOptional } from '@nestjs/swagger';
import { IsIn } from 'class-validator';
import { AreUserIds, IsMetadata, IsUserId, Optional } from '../platform/validation/rules.js';
import { PageLimit } from '../platform/validation/page-limit.js';
import { LIMITS, type PresencePayload, type PresenceStatus } from '../protocol/index.js';

const STATUSES: PresenceStatus[] = ['online', 'away', 'busy', 'offline'];

/** Payload of `presence:update`. */
export class PresenceDto implements PresencePayload {
  @IsIn(STATUSES)
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

  @ApiPropertyOptional({ description: '`nextCursor` of the page before.' })
  @Optional()
  @IsUserId()
  cursor?: string;
}
