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
import { LIMITS, type RecoverPayload, type SendPayload } from '../protocol/index.js';
import type { AskPayload } from './viewers/viewers.js';

const PROMPT_CONTEXT = { default: true, description: 'Whether the prompt includes the last messages.' };

/** Body of `POST /api/conversations/:id/messages`. */
export class SendBodyDto implements Omit<SendPayload, 'conversationId'> {
  @Described('Your own id of this message. A repeat returns the first message.')
  @IsClientMessageId()
  clientMessageId: string;

  @IsContent()
  content: string;

  @Optional()
  @IsMetadata()
  metadata?: Record<string, unknown>;

  @Optional({ default: true, description: 'Whether the AI answers this message.' })
  @IsFlag()
  respond?: boolean;

  @Optional({ default: true, description: 'Whether the answer is streamed while it is produced.' })
  @IsFlag()
  stream?: boolean;

  @Optional(PROMPT_CONTEXT)
  @IsFlag()
  includeContext?: boolean;

  @Optional()
  @IsText(LIMITS.nameChars)
  provider?: string;

  @Optional()
  @IsText(LIMITS.nameChars)
  model?: string;
}

/** Payload of `message:send`. */
export class SendDto extends SendBodyDto implements SendPayload {
  @IsConversationId()
  conversationId: string;
}

/** Body of `POST /api/ws/stream/sse` and `/http`. */
export class AskDto implements AskPayload {
  @IsConversationId()
  conversationId: string;

  @Described('The question.')
  @IsContent()
  message: string;

  @Optional({ description: 'Your own id of the question. A repeat shows the answer to the first one.' })
  @IsClientMessageId()
  clientMessageId?: string;

  @Optional(PROMPT_CONTEXT)
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

  @Optional({ description: 'Size in bytes at which a chunk is cut.' })
  @IsWhole(LIMITS.chunkBytesMin, LIMITS.chunkBytesMax)
  chunkSize?: number;

  @Optional({ description: 'Milliseconds after which a chunk is cut, however small.' })
  @IsWhole(0, LIMITS.chunkDelayMaxMs)
  chunkDelayMs?: number;
}

/** Query of the routes that read a stream from a position on. Checked as text: an empty value is not 0. */
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

/** Payload of `stream:pause`, `stream:resume` and `stream:cancel`. */
export class StreamDto {
  @IsUuid()
  streamId: string;
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
