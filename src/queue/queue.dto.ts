import { ApiPropertyOptional } from '@nestjs/swagger';
import { Matches } from 'class-validator';
import { IsContent, IsMetadata, Optional } from '../platform/validation/rules.js';
import { PageLimit } from '../platform/validation/page-limit.js';

const CURSOR = /^\d{1,18}$/;

/** Query of `GET /api/ws/queue/:userId`. */
export class QueuePageDto {
  @PageLimit()
  limit?: number;

  @ApiPropertyOptional({ pattern: CURSOR.source, description: '`nextCursor` of the page before.' })
  @Optional()
  @Matches(CURSOR, { message: 'cursor must be the nextCursor of the page before' })
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
