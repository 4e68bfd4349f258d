import { Injectable } from '@nestjs/common';
import { ConversationsService } from '../../conversations/conversations.service.js';
import { LIMITS } from '../../protocol/index.js';
import { TypingService } from '../../typing/typing.service.js';
import type { Connection } from '../connections/connection.js';

/** Typing on a connection: by members only, and ended with it. */
@Injectable()
export class TypingAccess {
  constructor(
    private readonly typing: TypingService,
    private readonly conversations: ConversationsService,
  ) {}

  /** @throws {DomainError} `not_found` for who is no member. */
  async start(connection: Connection, conversationId: string): Promise<void> {
    const { id: connectionId, userId, typingIn } = connection;
    await this.requireMember(connection, conversationId);
    // The socket may have ended while the database was asked: nobody would stop the indicator.
    if (!connection.socket.connected) return;
    typingIn.add(conversationId);
    // What is forgotten here ends by its time-out.
    if (typingIn.size > LIMITS.joinedConversations) typingIn.delete(typingIn.values().next().value as string);
    await this.typing.start({ conversationId, userId, connectionId });
  }

  /** @throws {DomainError} `not_found` for who is no member. */
  async stop(connection: Connection, conversationId: string): Promise<void> {
    await this.requireMember(connection, conversationId);
    connection.typingIn.delete(conversationId);
    await this.typing.stop(conversationId, connection.userId);
  }

  /** Who joined is a member: the removal of one takes its connections out at once. Who is about to join may be nobody. */
  private async requireMember(connection: Connection, conversationId: string): Promise<void> {
    if (!connection.hasJoined(conversationId))
      await this.conversations.require(conversationId, connection.userId);
  }
}
