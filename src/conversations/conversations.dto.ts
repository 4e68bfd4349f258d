import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { IsBoolean, IsIn } from 'class-validator';
import { FromDigits, IsConversationId, IsText, IsWhole, Optional } from '../platform/validation/rules.js';
import { PageLimit } from '../platform/validation/page-limit.js';
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
  @IsIn(ACCESS)
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
  @IsBoolean()
  read?: boolean;
}

/** Query of `GET /api/conversations/:id/messages`. */
export class HistoryQueryDto {
  @ApiPropertyOptional({ description: 'Messages behind this `seq`; 0: from the first.' })
  @Optional()
  @FromDigits()
  @IsWhole(0)
  afterSeq?: number;

  @ApiPropertyOptional({ description: 'Messages before this `seq`.' })
  @Optional()
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

  @ApiPropertyOptional({ description: '`nextCursor` of the page before.' })
  @Optional()
  @IsText(512)
  cursor?: string;
}

/** Body of `POST /api/conversations`. */
export class CreateConversationDto {
  @ApiPropertyOptional({ description: 'Your own id; without it, one that cannot be guessed is made.' })
  @Optional()
  @IsConversationId()
  id?: string;

  @Optional()
  @IsText(LIMITS.titleChars)
  title?: string;

  @ApiPropertyOptional({ enum: ACCESS, default: 'members' })
  @Optional()
  @IsIn(ACCESS)
  access?: ConversationAccess;
}

/** Body of `PATCH /api/conversations/:id`. */
export class UpdateConversationDto {
  @Optional()
  @IsText(LIMITS.titleChars)
  title?: string;

  @ApiPropertyOptional({
    enum: ACCESS,
    description: 'link: whoever knows the id becomes a member by joining.',
  })
  @Optional()
  @IsIn(ACCESS)
  access?: ConversationAccess;
}

/** Body of `POST /api/conversations/:id/ack`. */
export class AckBodyDto {
  @ApiProperty({ description: 'Everything up to this `seq` has arrived.' })
  @IsWhole(1)
  seq: number;

  @ApiPropertyOptional({ default: false, description: 'And has been read.' })
  @Optional()
  @IsBoolean()
  read?: boolean;
}
