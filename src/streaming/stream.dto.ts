import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { IsBoolean, IsString, IsUUID, ValidateIf } from 'class-validator';
import { PageLimit } from '../platform/validation/page-limit.js';
import {
  IsClientMessageId,
  IsContent,
  IsConversationId,
  IsMetadata,
  IsText,
  IsWhole,
  Optional,
} from '../platform/validation/rules.js';
import { LIMITS, type RecoverPayload } from '../protocol/index.js';
import type { Asking } from './viewers/viewers.js';

/** Body of `POST /api/ws/stream/sse` and `/http`. */
export class AskDto implements Asking {
  @IsConversationId()
  conversationId: string;

  @ApiProperty({ description: 'The question.' })
  @IsContent()
  message: string;

  @ApiPropertyOptional({
    description: 'Your own id of the question: a repeat shows the answer of the first.',
  })
  @Optional()
  @IsClientMessageId()
  clientMessageId?: string;

  @ApiPropertyOptional({ default: true, description: 'Whether the prompt holds the last messages.' })
  @Optional()
  @IsBoolean()
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

  @ApiPropertyOptional({ description: 'Bytes at which a chunk is cut.' })
  @Optional()
  @IsWhole(LIMITS.chunkBytesMin, LIMITS.chunkBytesMax)
  chunkSize?: number;

  @ApiPropertyOptional({ description: 'Milliseconds after which a chunk is cut although it is small.' })
  @Optional()
  @IsWhole(0, LIMITS.chunkDelayMaxMs)
  chunkDelayMs?: number;
}

/** Query of what reads a stream from a position on. Checked as text: an empty one is no 0. */
export class PositionQueryDto {
  @ApiPropertyOptional({ description: 'First sequence to read.', type: 'integer', minimum: 0, default: 0 })
  @Optional()
  @IsString()
  fromSequence?: string;
}

/** Query of the routes that attach to a stream. */
export class AttachQueryDto extends PositionQueryDto {
  // OpenAPI has it as a security scheme: Optional() would make a parameter of it.
  @ValidateIf((query: AttachQueryDto) => query.ticket !== undefined)
  @IsString()
  ticket?: string;
}

/** Payload of `stream:recover`. */
export class RecoverDto implements RecoverPayload {
  @IsUUID()
  streamId: string;

  @IsWhole(0)
  fromSequence: number;
}

/** Query of `GET /api/ws/stream/active`. */
export class RunningQueryDto {
  @PageLimit()
  limit?: number;

  @ApiPropertyOptional({ format: 'uuid', description: '`nextCursor` of the page before.' })
  @Optional()
  @IsUUID()
  cursor?: string;
}
