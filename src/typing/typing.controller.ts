import { Controller, Get, Param } from '@nestjs/common';
import { ApiBearerAuth, ApiOperation, ApiTags } from '@nestjs/swagger';
import { CurrentPrincipal } from '../auth/decorators.js';
import type { Principal } from '../auth/principal.js';
import { Responds } from '../platform/http/responses.decorator.js';
import { ConversationIdPipe } from '../platform/http/id.pipes.js';
import { arrayOf, objectSchema, TEXT } from '../protocol/schemas/schema.js';
import { ConversationsService } from '../conversations/conversations.service.js';
import { TypingService } from './typing.service.js';

interface Typing {
  userIds: string[];
}

@ApiTags('presence')
@ApiBearerAuth()
@Controller('ws/typing')
export class TypingController {
  constructor(
    private readonly typing: TypingService,
    private readonly conversations: ConversationsService,
  ) {}

  @Get(':conversationId')
  @ApiOperation({ summary: 'List the users who are typing in a conversation; members only' })
  @Responds(200, objectSchema<Typing>({ userIds: arrayOf(TEXT) }))
  async show(
    @CurrentPrincipal() { userId }: Principal,
    @Param('conversationId', ConversationIdPipe) conversationId: string,
  ): Promise<Typing> {
    await this.conversations.require(conversationId, userId);
    return { userIds: await this.typing.typingUsers(conversationId) };
  }
}
