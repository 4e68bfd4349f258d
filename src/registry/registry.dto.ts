import { ApiPropertyOptional } from '@nestjs/swagger';
import { Type } from 'class-transformer';
import { IsText, IsWhole, Optional } from '../common/validation.js';
import { LIMITS } from '../protocol/index.js';

/** Query of the lists of connections. */
export class ConnectionsQueryDto {
  @ApiPropertyOptional({ default: LIMITS.defaultPageMessages, maximum: LIMITS.pageMessages })
  @Optional()
  @Type(() => Number)
  @IsWhole(1, LIMITS.pageMessages)
  limit?: number;

  @ApiPropertyOptional({ description: '`nextCursor` of the page before.' })
  @Optional()
  @IsText(128)
  cursor?: string;
}
