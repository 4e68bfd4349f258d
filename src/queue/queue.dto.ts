import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { Matches } from 'class-validator';
import { IsContent, IsMetadata, Optional } from '../common/validation.js';
import { PageLimit } from '../common/page-limit.js';

/** Query of `GET /api/ws/queue/:userId`. */
export class QueuePageDto {
  @PageLimit()
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
