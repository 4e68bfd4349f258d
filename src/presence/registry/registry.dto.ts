import { IsText, NEXT_CURSOR, Optional, PageLimit } from '../../platform/validation/rules.js';

/** Query of the lists of connections. */
export class ConnectionsQueryDto {
  @PageLimit()
  limit?: number;

  @Optional(NEXT_CURSOR)
  @IsText(128)
  cursor?: string;
}
