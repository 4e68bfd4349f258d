import {
  Described,
  IsClientMessageId,
  IsContent,
  IsConversationId,
  IsFlag,
  IsMetadata,
  IsText,
  IsUuid,
  Optional,
} from '../platform/validation/rules.js';
import { LIMITS, type SendPayload } from '../protocol/index.js';

/** Body of `POST /api/conversations/:id/messages`. */
export class SendBodyDto implements Omit<SendPayload, 'conversationId'> {
  @Described('Your own id of this message: a repeat gives the first again.')
  @IsClientMessageId()
  clientMessageId: string;

  @IsContent()
  content: string;

  @Optional()
  @IsMetadata()
  metadata?: Record<string, unknown>;

  @Optional({ default: true, description: 'Whether the provider answers this message.' })
  @IsFlag()
  respond?: boolean;

  @Optional({ default: true, description: 'Whether the answer is shown while it is produced.' })
  @IsFlag()
  stream?: boolean;

  @Optional({ default: true, description: 'Whether the prompt holds the last messages.' })
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

/** Payload of `stream:cancel`. */
export class StreamDto {
  @IsUuid()
  streamId: string;
}
