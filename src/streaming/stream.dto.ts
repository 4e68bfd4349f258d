import {
  Described,
  IsAnyText,
  IsClientMessageId,
  IsContent,
  IsConversationId,
  IsFlag,
  IsMetadata,
  IsQueryCredential,
  IsText,
  IsUuid,
  IsWhole,
  NEXT_CURSOR,
  Optional,
  PageLimit,
} from '../platform/validation/rules.js';
import { LIMITS, type RecoverPayload } from '../protocol/index.js';
import type { Asking } from './viewers/viewers.js';

/** Body of `POST /api/ws/stream/sse` and `/http`. */
export class AskDto implements Asking {
  @IsConversationId()
  conversationId: string;

  @Described('The question.')
  @IsContent()
  message: string;

  @Optional({
    description: 'Your own id of the question: a repeat shows the answer of the first.',
  })
  @IsClientMessageId()
  clientMessageId?: string;

  @Optional({ default: true, description: 'Whether the prompt holds the last messages.' })
  @IsFlag()
  includeContext?: boolean;

  @Optional()
  @IsMetadata()
  metadata?: Record<string, unknown>;

  @Optional()
  @IsText(LIMITS.nameChars)
  provider?: string;

  @Optional()
  @IsText(LIMITS.nameChars)
  model?: string;

  @Optional({ description: 'Bytes at which a chunk is cut.' })
  @IsWhole(LIMITS.chunkBytesMin, LIMITS.chunkBytesMax)
  chunkSize?: number;

  @Optional({ description: 'Milliseconds after which a chunk is cut although it is small.' })
  @IsWhole(0, LIMITS.chunkDelayMaxMs)
  chunkDelayMs?: number;
}

/** Query of what reads a stream from a position on. Checked as text: an empty one is no 0. */
export class PositionQueryDto {
  @Optional({ description: 'First sequence to read.', type: 'integer', minimum: 0, default: 0 })
  @IsAnyText()
  fromSequence?: string;
}

/** Query of the routes that attach to a stream. */
export class AttachQueryDto extends PositionQueryDto {
  @IsQueryCredential()
  ticket?: string;
}

/** Payload of `stream:recover`. */
export class RecoverDto implements RecoverPayload {
  @IsUuid()
  streamId: string;

  @IsWhole(0)
  fromSequence: number;
}

/** Query of `GET /api/ws/stream/active`. */
export class RunningQueryDto {
  @PageLimit()
  limit?: number;

  @Optional(NEXT_CURSOR)
  @IsUuid()
  cursor?: string;
}
