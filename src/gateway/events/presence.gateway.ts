import { Injectable } from '@nestjs/common';
import { ConversationDto } from '../../conversations/conversations.dto.js';
import { PresenceDto, WatchDto } from '../../presence/presence.dto.js';
import { PresenceService } from '../../presence/presence.service.js';
import type { Presence } from '../../protocol/index.js';
import { TopicsDto } from '../../conversations/topics/topics.dto.js';
import type { Connection } from '../connections/connection.js';
import { TopicRooms } from '../rooms/topic-rooms.js';
import { ConnectionTyping } from '../rooms/connection-typing.js';
import { PresenceSubscriptions } from '../rooms/presence-subscriptions.js';
import { OnClientEvent } from './event-handlers.js';

/** The client's events about presence, typing and topics (protocol section 4.2). */
@Injectable()
export class PresenceGateway {
  constructor(
    private readonly presence: PresenceService,
    private readonly subscriptions: PresenceSubscriptions,
    private readonly typing: ConnectionTyping,
    private readonly topics: TopicRooms,
  ) {}

  @OnClientEvent('presence:update', PresenceDto)
  update(payload: PresenceDto, { userId, id }: Connection): Promise<void> {
    return this.presence.setStatus(userId, payload, id);
  }

  @OnClientEvent('presence:watch', WatchDto)
  async watch({ userIds }: WatchDto, connection: Connection): Promise<{ presence: Presence[] }> {
    return { presence: await this.subscriptions.subscribe(connection, userIds) };
  }

  @OnClientEvent('presence:unwatch', WatchDto)
  async unwatch({ userIds }: WatchDto, connection: Connection): Promise<{ presence: Presence[] }> {
    return { presence: await this.subscriptions.unsubscribe(connection, userIds) };
  }

  @OnClientEvent('typing:start', ConversationDto)
  startTyping({ conversationId }: ConversationDto, connection: Connection): Promise<void> {
    return this.typing.start(connection, conversationId);
  }

  @OnClientEvent('typing:stop', ConversationDto)
  stopTyping({ conversationId }: ConversationDto, connection: Connection): Promise<void> {
    return this.typing.stop(connection, conversationId);
  }

  @OnClientEvent('topic:subscribe', TopicsDto)
  subscribe({ topics }: TopicsDto, connection: Connection): { topics: string[] } {
    return { topics: this.topics.subscribe(connection, topics) };
  }

  @OnClientEvent('topic:unsubscribe', TopicsDto)
  unsubscribe({ topics }: TopicsDto, connection: Connection): { topics: string[] } {
    return { topics: this.topics.unsubscribe(connection, topics) };
  }
}
