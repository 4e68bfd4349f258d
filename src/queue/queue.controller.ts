import { Body, Controller, Delete, Get, HttpCode, Param, Post, Query } from '@nestjs/common';
import { ApiBearerAuth, ApiOperation, ApiTags } from '@nestjs/swagger';
import { CurrentPrincipal } from '../auth/decorators.js';
import { LIMITS } from '../protocol/index.js';
import { toCursorPage, type CursorPage } from '../common/cursor-page.js';
import { authorize } from '../auth/policy.js';
import type { Principal } from '../auth/principal.js';
import { Responds } from '../platform/http/responses.decorator.js';
import { UserIdPipe } from '../platform/http/id.pipes.js';
import { pageOf, objectSchema } from '../protocol/schemas/schema.js';
import { ENTRY, type QueueEntry, QueuePageDto, SystemMessageDto } from './queue.dto.js';
import { QueueService } from './queue.service.js';

interface Queued {
  queued: true;
}

@ApiTags('queue')
@ApiBearerAuth()
@Controller('ws')
export class QueueController {
  constructor(private readonly queue: QueueService) {}

  @Get('queue/:userId')
  @ApiOperation({ summary: 'List waiting and ended deliveries of a user (the user or admins)' })
  @Responds(200, pageOf(ENTRY))
  async page(
    @CurrentPrincipal() principal: Principal,
    @Param('userId', UserIdPipe) userId: string,
    @Query() { limit = LIMITS.defaultPageMessages, cursor = '0' }: QueuePageDto,
  ): Promise<CursorPage<QueueEntry>> {
    authorize(principal, 'queue:see', { userId });
    const entries = await this.queue.page(userId, cursor, limit + 1);
    return toCursorPage(entries, limit, ({ queueId }) => queueId);
  }

  @Delete('queue/:userId')
  @HttpCode(204)
  @ApiOperation({ summary: 'Drop all waiting deliveries of a user (the user or admins)' })
  @Responds(204)
  clear(
    @CurrentPrincipal() principal: Principal,
    @Param('userId', UserIdPipe) userId: string,
  ): Promise<void> {
    authorize(principal, 'queue:clear', { userId });
    return this.queue.clear(userId);
  }

  @Post('users/:userId/messages')
  @HttpCode(200)
  @ApiOperation({ summary: 'Send a system message to one user, queued until a device acks it (admins)' })
  @Responds(200, objectSchema<Queued>({ queued: { const: true } }))
  async send(
    @CurrentPrincipal() principal: Principal,
    @Param('userId', UserIdPipe) userId: string,
    @Body() { content, metadata }: SystemMessageDto,
  ): Promise<Queued> {
    authorize(principal, 'system:send');
    const createdAt = new Date().toISOString();
    await this.queue.sendSystem(userId, { topic: null, content, ...(metadata && { metadata }), createdAt });
    return { queued: true };
  }
}
