import { Controller, Delete, Get, HttpCode, Param, Query } from '@nestjs/common';
import { ApiBearerAuth, ApiOperation, ApiTags } from '@nestjs/swagger';
import { CurrentPrincipal } from '../../auth/decorators.js';
import { authorize, can } from '../../auth/policy.js';
import type { Principal } from '../../auth/principal.js';
import { Responds } from '../../platform/http/responses.decorator.js';
import { toCursorPage, type CursorPage } from '../../common/cursor-page.js';
import { notFound } from '../../common/domain-error.js';
import { ConnectionIdPipe, ConversationIdPipe, UserIdPipe } from '../../platform/http/id.pipes.js';
import { enumOf, optional, pageOf, objectSchema, TEXT, TIME } from '../../protocol/schemas/schema.js';
import { IsText, NEXT_CURSOR, Optional, PageLimit } from '../../platform/validation/rules.js';
import { ConversationsService } from '../../conversations/conversations.service.js';
import { PresenceService } from '../presence.service.js';
import { LIMITS, type ConnectionInfo } from '../../protocol/index.js';
import { Relay } from '../../platform/relay/relay.js';
import { ConnectionRegistry, type RegisteredConnection } from './connection-registry.js';

/** Query of the lists of connections. */
export class ConnectionsQueryDto {
  @PageLimit()
  limit?: number;

  @Optional(NEXT_CURSOR)
  @IsText(128)
  cursor?: string;
}

const PAGE = pageOf(
  objectSchema<ConnectionInfo>({
    connectionId: TEXT,
    userId: TEXT,
    deviceId: TEXT,
    transport: enumOf<ConnectionInfo['transport']>({ websocket: true, polling: true }),
    connectedAt: TIME,
    lastActivityAt: TIME,
    address: optional(TEXT),
    userAgent: optional(TEXT),
  }),
);

@ApiTags('connections')
@ApiBearerAuth()
@Controller('ws/connections')
export class ConnectionsController {
  constructor(
    private readonly registry: ConnectionRegistry,
    private readonly conversations: ConversationsService,
    private readonly presence: PresenceService,
    private readonly relay: Relay,
  ) {}

  @Get(':userId')
  @ApiOperation({ summary: 'List the connections of a user; the user or an admin' })
  @Responds(200, PAGE)
  async ofUser(
    @CurrentPrincipal() principal: Principal,
    @Param('userId', UserIdPipe) userId: string,
    @Query() { limit = LIMITS.defaultPageMessages, cursor = '' }: ConnectionsQueryDto,
  ): Promise<CursorPage<ConnectionInfo>> {
    authorize(principal, 'connections:see', { userId });
    const found = await this.registry.ofUser(userId, { after: cursor, limit: limit + 1 });
    return toPage(
      found.map((connection) => toInfo(connection, true)),
      limit,
    );
  }

  @Get('conversation/:conversationId')
  @ApiOperation({
    summary: 'List the connections that have joined a conversation; members or an admin',
    description:
      'Members do not see the address and user agent of others, nor the connections of invisible users. Admins see all.',
  })
  @Responds(200, PAGE)
  async ofConversation(
    @CurrentPrincipal() principal: Principal,
    @Param('conversationId', ConversationIdPipe) conversationId: string,
    @Query() { limit = LIMITS.defaultPageMessages, cursor = '' }: ConnectionsQueryDto,
  ): Promise<CursorPage<ConnectionInfo>> {
    if (!can(principal, 'conversation:observe')) {
      await this.conversations.require(conversationId, principal.userId);
    }
    const found = await this.registry.ofConversation(conversationId, { after: cursor, limit: limit + 1 });
    const seesAll = ({ userId }: RegisteredConnection) => can(principal, 'connections:see', { userId });
    const hidden = await this.invisible(found.filter((connection) => !seesAll(connection)));
    const page = toPage(
      found.map((connection) => toInfo(connection, seesAll(connection))),
      limit,
    );
    return { ...page, items: page.items.filter(({ userId }) => !hidden.has(userId)) };
  }

  @Delete(':connectionId')
  @HttpCode(204)
  @ApiOperation({ summary: 'Close a connection; its user or an admin' })
  @Responds(204)
  async close(
    @CurrentPrincipal() principal: Principal,
    @Param('connectionId', ConnectionIdPipe) connectionId: string,
  ): Promise<void> {
    const found = await this.registry.find(connectionId);
    if (!found) throw notFound();
    authorize(principal, 'connection:close', { userId: found.userId });
    this.relay.publish('user', found.userId, { type: 'close', connectionId });
  }

  /** Returns those users of these connections who appear offline. */
  private async invisible(connections: readonly RegisteredConnection[]): Promise<Set<string>> {
    const userIds = [...new Set(connections.map(({ userId }) => userId))];
    const states = await this.presence.of(userIds);
    return new Set(states.filter(({ status }) => status === 'offline').map(({ userId }) => userId));
  }
}

function toPage(found: readonly ConnectionInfo[], limit: number): CursorPage<ConnectionInfo> {
  return toCursorPage(found, limit, ({ connectionId }) => connectionId);
}

function toInfo(connection: RegisteredConnection, whole: boolean): ConnectionInfo {
  const { connectionId, userId, deviceId, transport, connectedAt, lastActivityAt } = connection;
  const { address, userAgent } = connection;
  return {
    ...{ connectionId, userId, deviceId, transport },
    connectedAt: new Date(connectedAt).toISOString(),
    lastActivityAt: new Date(lastActivityAt).toISOString(),
    ...(whole && address !== undefined && { address }),
    ...(whole && userAgent !== undefined && { userAgent }),
  };
}
