import { Body, Controller, Delete, Get, HttpCode, Param, Patch, Post, Put, Query } from '@nestjs/common';
import { ApiBearerAuth, ApiOperation, ApiTags } from '@nestjs/swagger';
import { CurrentPrincipal } from '../auth/decorators.js';
import type { Principal } from '../auth/principal.js';
import { Responds } from '../platform/http/responses.decorator.js';
import { ConversationIdPipe, NewMemberIdPipe, UserIdPipe } from '../platform/http/id.pipes.js';
import { pageOf, ref, objectSchema } from '../protocol/schemas/schema.js';
import type { CursorPage } from '../common/cursor-page.js';
import { LIMITS, type Conversation, type MessagePage } from '../protocol/index.js';
import { Acknowledger } from '../queue/acknowledger.js';
import {
  AckBodyDto,
  CreateConversationDto,
  HistoryQueryDto,
  ListQueryDto,
  UpdateConversationDto,
  LISTED,
  type ListedConversation,
} from './conversations.dto.js';
import { ConversationsService } from './conversations.service.js';
import { MessagesService } from './messages.service.js';

interface Acked {
  ok: true;
}

@ApiTags('conversations')
@ApiBearerAuth()
@Controller('conversations')
export class ConversationsController {
  constructor(
    private readonly conversations: ConversationsService,
    private readonly messages: MessagesService,
    private readonly acknowledger: Acknowledger,
  ) {}

  @Post()
  @ApiOperation({ summary: 'Create a conversation that you own' })
  @Responds(201, ref('Conversation'))
  create(
    @CurrentPrincipal() principal: Principal,
    @Body() body: CreateConversationDto,
  ): Promise<Conversation> {
    return this.conversations.create(principal, body);
  }

  @Get()
  @ApiOperation({ summary: 'List your conversations, latest activity first' })
  @Responds(200, pageOf(LISTED))
  list(
    @CurrentPrincipal() principal: Principal,
    @Query() { cursor, limit = LIMITS.defaultPageMessages }: ListQueryDto,
  ): Promise<CursorPage<ListedConversation>> {
    return this.conversations.list(principal, { cursor, limit });
  }

  @Get(':id')
  @ApiOperation({ summary: 'Get one of your conversations' })
  @Responds(200, ref('Conversation'))
  async show(
    @CurrentPrincipal() principal: Principal,
    @Param('id', ConversationIdPipe) id: string,
  ): Promise<Conversation> {
    return (await this.conversations.require(id, principal.userId)).conversation;
  }

  @Patch(':id')
  @ApiOperation({ summary: 'Change title or access (owner only)' })
  @Responds(200, ref('Conversation'))
  update(
    @CurrentPrincipal() principal: Principal,
    @Param('id', ConversationIdPipe) id: string,
    @Body() changes: UpdateConversationDto,
  ): Promise<Conversation> {
    return this.conversations.update(principal, id, changes);
  }

  @Delete(':id')
  @HttpCode(204)
  @ApiOperation({ summary: 'Delete a conversation with all its content (owner only)' })
  @Responds(204)
  delete(
    @CurrentPrincipal() principal: Principal,
    @Param('id', ConversationIdPipe) id: string,
  ): Promise<void> {
    return this.conversations.delete(principal, id);
  }

  @Put(':id/members/:userId')
  @HttpCode(204)
  @ApiOperation({ summary: 'Add a member (owner only)' })
  @Responds(204)
  addMember(
    @CurrentPrincipal() principal: Principal,
    @Param('id', ConversationIdPipe) id: string,
    @Param('userId', NewMemberIdPipe) userId: string,
  ): Promise<void> {
    return this.conversations.addMember(principal, id, userId);
  }

  @Delete(':id/members/:userId')
  @HttpCode(204)
  @ApiOperation({ summary: 'Remove a member (owner only), or leave' })
  @Responds(204)
  removeMember(
    @CurrentPrincipal() principal: Principal,
    @Param('id', ConversationIdPipe) id: string,
    @Param('userId', UserIdPipe) userId: string,
  ): Promise<void> {
    return this.conversations.removeMember(principal, id, userId);
  }

  @Post(':id/ack')
  @HttpCode(200)
  @ApiOperation({ summary: 'Acknowledge everything up to `seq` as delivered, and with `read` as read' })
  @Responds(200, objectSchema<Acked>({ ok: { const: true } }))
  async ack(
    @CurrentPrincipal() { userId }: Principal,
    @Param('id', ConversationIdPipe) conversationId: string,
    @Body() { seq, read }: AckBodyDto,
  ): Promise<Acked> {
    await this.acknowledger.ack({ userId, conversationId, deliveredSeq: seq, readSeq: read ? seq : 0 });
    return { ok: true };
  }

  @Get(':id/messages')
  @ApiOperation({ summary: 'Get a page of the log: the last one, after afterSeq, or before beforeSeq' })
  @Responds(200, ref('MessagePage'))
  history(
    @CurrentPrincipal() principal: Principal,
    @Param('id', ConversationIdPipe) conversationId: string,
    @Query() query: HistoryQueryDto,
  ): Promise<MessagePage> {
    return this.messages.history(principal, { conversationId, ...query });
  }
}
