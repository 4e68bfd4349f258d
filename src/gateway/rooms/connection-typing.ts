import { Injectable } from '@nestjs/common';
import { ConversationsService } from '../../conversations/conversations.service.js';
import { isConversationId, LIMITS } from '../../protocol/index.js';
import { TypingService } from '../../typing/typing.service.js';
import type { Connection } from '../connections/connection.js';
import type { ConnectionObserver } from '../connections/connection-observer.js';
import { RoomEvents } from './room-events.js';

/** Typing indicators of connections: members only. Ends them when a connection leaves, and when its user sends or is removed. */
@Injectable()
export class ConnectionTyping implements ConnectionObserver {
  constructor(
    private readonly typing: TypingService,
    private readonly conversations: ConversationsService,
    events: RoomEvents,
  ) {
    events.on('room.left', (connection, conversationId) => {
      if (connection.typingIn.has(conversationId)) this.release(connection, conversationId);
    });
    events.on('member.removed', (userId, conversationId) => typing.stopSoon({ conversationId, userId }));
    events.on('message.posted', ({ role, senderId: userId, conversationId }) => {
      if (role === 'user') typing.stopSoon({ conversationId, userId });
    });
  }

  /** @throws {DomainError} `not_found` for a user who is not a member. */
  async start(connection: Connection, conversationId: string): Promise<void> {
    const { id: connectionId, userId, typingIn } = connection;
    await this.requireMember(connection, conversationId);
    // The socket may have closed during the query: nothing would stop the indicator (P9).
    if (!connection.socket.connected) return;
    typingIn.add(conversationId);
    // An indicator that is dropped from the set here expires by its timeout.
    if (typingIn.size > LIMITS.joinedConversations) typingIn.delete(typingIn.values().next().value as string);
    await this.typing.start({ conversationId, userId, connectionId });
  }

  /** @throws {DomainError} `not_found` for a user who is not a member. */
  async stop(connection: Connection, conversationId: string): Promise<void> {
    await this.requireMember(connection, conversationId);
    connection.typingIn.delete(conversationId);
    await this.typing.stop(conversationId, connection.userId);
  }

  /** Ends the user's indicator on all devices: the client sends a message. `payload` has not been validated. */
  onSend({ userId, typingIn }: Connection, payload: unknown): void {
    const { conversationId } = (payload ?? {}) as Record<string, unknown>;
    if (!isConversationId(conversationId)) return;
    typingIn.delete(conversationId);
    this.typing.stopSoon({ conversationId, userId });
  }

  onDisconnect(connection: Connection): void {
    for (const conversationId of connection.typingIn) this.release(connection, conversationId);
  }

  /** A connection that has joined belongs to a member: a removal takes it out at once. While it joins, it may not. */
  private async requireMember(connection: Connection, conversationId: string): Promise<void> {
    if (!connection.hasJoined(conversationId))
      await this.conversations.require(conversationId, connection.userId);
  }

  private release(connection: Connection, conversationId: string): void {
    const { id: connectionId, userId, typingIn } = connection;
    typingIn.delete(conversationId);
    this.typing.stopSoon({ conversationId, userId, connectionId });
  }
}
