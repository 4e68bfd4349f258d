import { UseFilters } from '@nestjs/common';
import {
  MessageBody,
  SubscribeMessage,
  WebSocketGateway,
  type OnGatewayConnection,
  type OnGatewayDisconnect,
} from '@nestjs/websockets';
import type { Socket } from 'socket.io';
import { ConversationDto } from '../../conversations/conversations.dto.js';
import { PresenceDto, WatchDto } from '../../presence/presence.dto.js';
import { PresenceService } from '../../presence/presence.service.js';
import type { Presence } from '../../protocol/index.js';
import { TopicsDto } from '../../conversations/topics/topics.dto.js';
import type { Connection } from '../connections/connection.js';
import { CurrentConnection } from './current-connection.decorator.js';
import { ConnectionActivity } from '../connections/connection-activity.js';
import { AckFilter } from './ack.filter.js';
import { TopicRooms } from '../rooms/topic-rooms.js';
import { ConnectionTyping } from '../rooms/connection-typing.js';
import { PresenceSubscriptions } from '../rooms/presence-subscriptions.js';

/** The client's events about who is there: presence, typing and topics, one line each. */
@WebSocketGateway()
@UseFilters(AckFilter)
export class PresenceGateway implements OnGatewayConnection<Socket>, OnGatewayDisconnect<Socket> {
  constructor(
    private readonly activity: ConnectionActivity,
    private readonly presence: PresenceService,
    private readonly subscriptions: PresenceSubscriptions,
    private readonly typing: ConnectionTyping,
    private readonly topics: TopicRooms,
  ) {}

  handleConnection(socket: Socket): void {
    this.activity.onConnect(socket.data as Connection);
  }

  handleDisconnect(socket: Socket): void {
    const connection = socket.data as Connection;
    this.activity.onDisconnect(connection);
    this.subscriptions.removeConnection(connection);
    this.topics.removeConnection(connection);
  }

  @SubscribeMessage('presence:update')
  update(
    @CurrentConnection() { userId, id }: Connection,
    @MessageBody() payload: PresenceDto,
  ): Promise<void> {
    return this.presence.setStatus(userId, payload, id);
  }

  @SubscribeMessage('presence:watch')
  async watch(
    @CurrentConnection() connection: Connection,
    @MessageBody() { userIds }: WatchDto,
  ): Promise<{ presence: Presence[] }> {
    return { presence: await this.subscriptions.subscribe(connection, userIds) };
  }

  @SubscribeMessage('presence:unwatch')
  async unwatch(
    @CurrentConnection() connection: Connection,
    @MessageBody() { userIds }: WatchDto,
  ): Promise<{ presence: Presence[] }> {
    return { presence: await this.subscriptions.unsubscribe(connection, userIds) };
  }

  @SubscribeMessage('typing:start')
  startTyping(
    @CurrentConnection() connection: Connection,
    @MessageBody() { conversationId }: ConversationDto,
  ): Promise<void> {
    return this.typing.start(connection, conversationId);
  }

  @SubscribeMessage('typing:stop')
  stopTyping(
    @CurrentConnection() connection: Connection,
    @MessageBody() { conversationId }: ConversationDto,
  ): Promise<void> {
    return this.typing.stop(connection, conversationId);
  }

  @SubscribeMessage('topic:subscribe')
  subscribe(
    @CurrentConnection() connection: Connection,
    @MessageBody() { topics }: TopicsDto,
  ): { topics: string[] } {
    return { topics: this.topics.subscribe(connection, topics) };
  }

  @SubscribeMessage('topic:unsubscribe')
  unsubscribe(
    @CurrentConnection() connection: Connection,
    @MessageBody() { topics }: TopicsDto,
  ): { topics: string[] } {
    return { topics: this.topics.unsubscribe(connection, topics) };
  }
}
