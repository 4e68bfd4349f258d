import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { IsBoolean, IsUUID } from 'class-validator';
import {
  IsClientMessageId,
  IsContent,
  IsConversationId,
  IsMetadata,
  IsText,
  Optional,
} from '../platform/validation/rules.js';
import { LIMITS, type SendPayload } from '../protocol/index.js';

/** Body of `POST /api/conversations/:id/messages`. */
export class SendBodyDto implements Omit<SendPayload, 'conversationId'> {
  @ApiProperty({ description: 'Your own id of this message: a repeat gives the first again.' })
  @IsClientMessageId()
  clientMessageId: string;

  @IsContent()
  content: string;

  @Optional()
  @IsMetadata()
  metadata?: Record<string, unknown>;

  @ApiPropertyOptional({ default: true, description: 'Whether the provider answers this message.' })
  @Optional()
  @IsBoolean()
  respond?: boolean;

  @ApiPropertyOptional({ default: true, description: 'Whether the answer is shown while it is produced.' })
  @Optional()
  @IsBoolean()
  stream?: boolean;

  @ApiPropertyOptional({ default: true, description: 'Whether the prompt holds the last messages.' })
  @Optional()
  @IsBoolean()
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

/** Payload of `stream:cancel`. */
export class StreamDto {
  @IsUUID()
  streamId: string;
}
