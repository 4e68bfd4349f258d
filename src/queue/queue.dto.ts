import {
  IsContent,
  IsMatching,
  IsMetadata,
  NEXT_CURSOR,
  Optional,
  PageLimit,
} from '../platform/validation/rules.js';

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
