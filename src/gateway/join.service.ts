import { Injectable } from '@nestjs/common';
import { bulkhead } from 'cockatiel';
import { DomainError } from '../common/domain-error.js';
import { ConversationsService } from '../conversations/conversations.service.js';
import { MessagesService } from '../conversations/messages.service.js';
import { LIMITS, type JoinAnswer, type JoinPayload } from '../protocol/index.js';
import { Company } from './company.js';
import type { Connection } from './connection.js';
import { Deliveries } from './deliveries.js';
import { Rooms } from './rooms.js';

/** Joins that are under way at once; each asks the database's pool a few times, and up to three times at once. */
const AT_ONCE = 5;

/** Lets a connection hear a conversation. */
@Injectable()
export class JoinService {
  /** When thousands come back at once, some are done and the others wait: all together would all take too long. */
  private readonly turns = bulkhead(AT_ONCE, Infinity);

  constructor(
    private readonly conversations: ConversationsService,
    private readonly messages: MessagesService,
    private readonly rooms: Rooms,
    private readonly deliveries: Deliveries,
    private readonly company: Company,
  ) {}

  /**
   * Joins first and reads then: what is committed meanwhile comes twice at worst, never not at all.
   * @throws {DomainError} `not_found`, or `conflict` when the conversation is full or the connection has joined as many
   * as it may.
   */
  join(connection: Connection, payload: JoinPayload): Promise<JoinAnswer> {
    const givenUpAt = performance.now() + LIMITS.requestTimeoutMs;
    return this.turns.execute(() => {
      // Its client has been told so, and asks again: nobody would read this answer.
      if (performance.now() >= givenUpAt || !connection.socket.connected) throw tooLate();
      return this.joinNow(connection, payload);
    });
  }

  private async joinNow(
    connection: Connection,
    { conversationId, afterSeq, access }: JoinPayload,
  ): Promise<JoinAnswer> {
    const { principal } = connection;
    this.rooms.requireSpace(connection, conversationId);
    await this.conversations.enter(principal, conversationId, access);
    const check = () => this.conversations.require(conversationId, principal.userId);
    await this.rooms.join(connection, conversationId, check);
    try {
      return await this.answer(connection, conversationId, afterSeq);
    } catch (error) {
      // Who is told that it has not joined does not listen either.
      this.quit(connection, conversationId);
      throw error;
    }
  }

  private async answer(
    { principal }: Connection,
    conversationId: string,
    afterSeq: number | undefined,
  ): Promise<JoinAnswer> {
    const [members, page] = await Promise.all([
      this.conversations.members(conversationId),
      this.messages.page(principal, { conversationId, ...(afterSeq !== undefined && { afterSeq }) }),
    ]);
    const company = await this.company.in(conversationId, members, principal.userId);
    // Last: who is a member now was one when the rest was read (P10).
    const { conversation } = await this.conversations.require(conversationId, principal.userId);
    const { lastSeq } = conversation;
    return { conversation, members, lastSeq, ...page, ...company };
  }

  /** Stops hearing; the membership and its queue go on. @throws {DomainError} `not_found` for who is no member. */
  async leave(connection: Connection, conversationId: string): Promise<void> {
    if (!connection.joined.has(conversationId)) {
      await this.conversations.require(conversationId, connection.userId);
    }
    this.quit(connection, conversationId);
  }

  /** What came while it was joined and was not shown any more comes by the queue. */
  private quit(connection: Connection, conversationId: string): void {
    this.rooms.leave(connection, conversationId);
    this.deliveries.wake(connection, conversationId);
  }
}

function tooLate(): DomainError {
  return new DomainError('timeout', 'The request took too long. Send it again.');
}
