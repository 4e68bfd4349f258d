import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { Type } from 'class-transformer';
import { Matches } from 'class-validator';
import { IsContent, IsMetadata, IsWhole, Optional } from '../common/validation.js';
import { LIMITS } from '../protocol/index.js';

/** Query of `GET /api/ws/queue/:userId`. */
export class QueuePageDto {
  @ApiPropertyOptional({ default: LIMITS.defaultPageMessages, maximum: LIMITS.pageMessages })
  @Optional()
  @Type(() => Number)
  @IsWhole(1, LIMITS.pageMessages)
  limit?: number;

  @ApiPropertyOptional({ description: '`nextCursor` of the page before.' })
  @Optional()
  @Matches(/^\d{1,18}$/, { message: 'cursor must be the nextCursor of the page before' })
  cursor?: string;
}

/** Body of a system message. */
export class SystemMessageDto {
  @ApiProperty()
  @IsContent()
  content: string;

  @ApiPropertyOptional({ type: 'object', additionalProperties: true })
  @Optional()
  @IsMetadata()
  metadata?: Record<string, unknown>;
}
