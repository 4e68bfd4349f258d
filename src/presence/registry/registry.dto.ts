import { ApiPropertyOptional } from '@nestjs/swagger';
import { IsText, Optional } from '../../platform/validation/rules.js';
import { PageLimit } from '../../platform/validation/page-limit.js';

/** Query of the lists of connections. */
export class ConnectionsQueryDto {
  @PageLimit()
  limit?: number;

  @ApiPropertyOptional({ description: '`nextCursor` of the page before.' })
  @Optional()
  @IsText(128)
  cursor?: string;
}
