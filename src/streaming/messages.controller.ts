import { Body, Controller, Param, Post, Res } from '@nestjs/common';
import { ApiBearerAuth, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { Response } from 'express';
import { CurrentPrincipal } from '../auth/decorators.js';
import type { Principal } from '../auth/principal.js';
import { Responds } from '../platform/http/responses.decorator.js';
import { contextOf } from '../platform/http/request-context.middleware.js';
import { ConversationIdPipe } from '../platform/http/id.pipes.js';
import { ref } from '../protocol/schemas/schema.js';
import type { SendResult } from '../protocol/index.js';
import { SendBodyDto } from './streaming.dto.js';
import { StreamingService } from './streaming.service.js';

@ApiTags('conversations')
@ApiBearerAuth()
@Controller('conversations/:id/messages')
export class MessagesController {
  constructor(private readonly streaming: StreamingService) {}

  @Post()
  @ApiOperation({ summary: 'Send a message; safe to repeat with the same clientMessageId' })
  @Responds(201, ref('SendResult'))
  @Responds(200, ref('SendResult'), { description: 'The message was sent before; this is the first result.' })
  async send(
    @CurrentPrincipal() principal: Principal,
    @Param('id', ConversationIdPipe) conversationId: string,
    @Body() body: SendBodyDto,
    @Res({ passthrough: true }) response: Response,
  ): Promise<SendResult> {
    const origin = { transport: 'http', context: contextOf(response) } as const;
    const sent = await this.streaming.send(principal, { ...body, conversationId }, origin);
    response.status(sent.duplicate ? 200 : 201);
    return sent;
  }
}
