import { Controller, Get, Param, Query } from '@nestjs/common';
import { ApiBearerAuth, ApiOperation, ApiTags } from '@nestjs/swagger';
import { CurrentPrincipal } from '../auth/decorators.js';
import { authorize } from '../auth/policy.js';
import type { Principal } from '../auth/principal.js';
import { Responds } from '../platform/http/responses.decorator.js';
import { UserIdPipe } from '../platform/http/id.pipes.js';
import { pageOf, ref } from '../protocol/schemas/schema.js';
import { toCursorPage, type CursorPage } from '../common/cursor-page.js';
import { LIMITS, type Presence } from '../protocol/index.js';
import { OnlineQueryDto } from './presence.dto.js';
import { PresenceService } from './presence.service.js';

@ApiTags('presence')
@ApiBearerAuth()
@Controller('ws/presence')
export class PresenceController {
  constructor(private readonly presence: PresenceService) {}

  @Get('online')
  @ApiOperation({ summary: 'List the users who are not offline, by user id; admins only' })
  @Responds(200, pageOf(ref('Presence')))
  async online(
    @CurrentPrincipal() principal: Principal,
    @Query() { limit = LIMITS.defaultPageMessages, cursor = '' }: OnlineQueryDto,
  ): Promise<CursorPage<Presence>> {
    authorize(principal, 'presence:list');
    const found = await this.presence.listOnline(cursor, limit + 1);
    return toCursorPage(found, limit, ({ userId }) => userId);
  }

  @Get(':userId')
  @ApiOperation({
    summary: 'Get the presence of a user: your own, or of a user who shares a conversation with you',
  })
  @Responds(200, ref('Presence'))
  show(
    @CurrentPrincipal() principal: Principal,
    @Param('userId', UserIdPipe) userId: string,
  ): Promise<Presence> {
    return this.presence.findFor(principal, userId);
  }
}
