import { Controller, Get, Param } from '@nestjs/common';
import { ApiBearerAuth, ApiOperation, ApiTags } from '@nestjs/swagger';
import { CurrentPrincipal } from '../auth/current-principal.decorator.js';
import type { Principal } from '../auth/principal.js';
import { ConversationIdPipe } from '../common/id.pipes.js';
import { ConversationsService } from '../conversations/conversations.service.js';
import { TypingService } from './typing.service.js';

@ApiTags('presence')
@ApiBearerAuth()
@Controller('ws/typing')
export class TypingController {
  constructor(
    private readonly typing: TypingService,
    private readonly conversations: ConversationsService,
  ) {}

  @Get(':conversationId')
  @ApiOperation({ summary: 'Who is typing in a conversation; members' })
  async show(
    @CurrentPrincipal() { userId }: Principal,
    @Param('conversationId', ConversationIdPipe) conversationId: string,
  ): Promise<{ userIds: string[] }> {
    await this.conversations.require(conversationId, userId);
    return { userIds: await this.typing.in(conversationId) };
  }
}
