import {
  Described,
  FromDigits,
  IsConversationId,
  IsFlag,
  IsOneOf,
  IsText,
  IsWhole,
  NEXT_CURSOR,
  Optional,
  PageLimit,
} from '../platform/validation/rules.js';
import {
  LIMITS,
  type AckPayload,
  type ConversationAccess,
  type HistoryPayload,
  type JoinPayload,
} from '../protocol/index.js';

const ACCESS: ConversationAccess[] = ['members', 'link'];

/** Payload of `conversation:join`. */
export class JoinDto implements JoinPayload {
  @IsConversationId()
  conversationId: string;

  @Optional()
  @IsWhole(0)
  afterSeq?: number;

  @Optional()
  @IsOneOf(ACCESS)
  access?: ConversationAccess;
}

/** Payload of `conversation:leave`. */
export class ConversationDto {
  @IsConversationId()
  conversationId: string;
}

/** Payload of `message:history`. */
export class HistoryDto implements HistoryPayload {
  @IsConversationId()
  conversationId: string;

  @Optional()
  @IsWhole(0)
  afterSeq?: number;

  @Optional()
  @IsWhole(1)
  beforeSeq?: number;

  @Optional()
  @IsWhole(1, LIMITS.pageMessages)
  limit?: number;
}

/** Payload of `message:ack`. */
export class AckDto implements AckPayload {
  @IsConversationId()
  conversationId: string;

  @IsWhole(1)
  seq: number;

  @Optional()
  @IsFlag()
  read?: boolean;
}

/** Query of `GET /api/conversations/:id/messages`. */
export class HistoryQueryDto {
  @Optional({ description: 'Messages behind this `seq`; 0: from the first.' })
  @FromDigits()
  @IsWhole(0)
  afterSeq?: number;

  @Optional({ description: 'Messages before this `seq`.' })
  @FromDigits()
  @IsWhole(1)
  beforeSeq?: number;

  @PageLimit()
  limit?: number;
}

/** Query of `GET /api/conversations`. */
export class ListQueryDto {
  @PageLimit()
  limit?: number;

  @Optional(NEXT_CURSOR)
  @IsText(512)
  cursor?: string;
}

/** Body of `POST /api/conversations`. */
export class CreateConversationDto {
  @Optional({ description: 'Your own id; without it, one that cannot be guessed is made.' })
  @IsConversationId()
  id?: string;

  @Optional()
  @IsText(LIMITS.titleChars)
  title?: string;

  @Optional({ default: 'members' })
  @IsOneOf(ACCESS)
  access?: ConversationAccess;
}

/** Body of `PATCH /api/conversations/:id`. */
export class UpdateConversationDto {
  @Optional()
  @IsText(LIMITS.titleChars)
  title?: string;

  @Optional({
    description: 'link: whoever knows the id becomes a member by joining.',
  })
  @IsOneOf(ACCESS)
  access?: ConversationAccess;
}

/** Body of `POST /api/conversations/:id/ack`. */
export class AckBodyDto {
  @Described('Everything up to this `seq` has arrived.')
  @IsWhole(1)
  seq: number;

  @Optional({ default: false, description: 'And has been read.' })
  @IsFlag()
  read?: boolean;
}
