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
  type Conversation,
  type ConversationAccess,
  type HistoryPayload,
  type JoinPayload,
  type Role,
} from '../protocol/index.js';
import { OBJECTS } from '../protocol/schemas/objects.js';
import {
  COUNT,
  extend,
  enumOf,
  optional,
  objectSchema,
  TEXT,
  TIME,
  UUID,
} from '../protocol/schemas/schema.js';

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
  @Optional({ description: 'Messages after this `seq`; 0 starts with the first.' })
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
    description: 'link: everyone who knows the id can join and becomes a member.',
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

/** A conversation in a user's list, with a preview of its last message and the number of unread messages. */
export interface ListedConversation extends Conversation {
  unread: number;
  lastMessage?: { id: string; seq: number; senderId: string; role: Role; content: string; createdAt: string };
  activeAt: string;
}

/** Schema of a {@link ListedConversation}. */
export const LISTED = extend(
  OBJECTS.Conversation,
  objectSchema<Omit<ListedConversation, keyof Conversation>>({
    unread: COUNT,
    lastMessage: optional(
      objectSchema<Required<ListedConversation>['lastMessage']>({
        id: UUID,
        seq: COUNT,
        senderId: TEXT,
        role: enumOf<Role>({ user: true, assistant: true, system: true }),
        content: TEXT,
        createdAt: TIME,
      }),
    ),
    activeAt: TIME,
  }),
);
