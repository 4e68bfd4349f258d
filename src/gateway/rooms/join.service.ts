import { Injectable } from '@nestjs/common';
import { ConcurrencyLimit } from '../../common/concurrency-limit.js';
import { DomainError, notFound } from '../../common/domain-error.js';
import { ConversationsService } from '../../conversations/conversations.service.js';
import { LIMITS, type JoinPayload } from '../../protocol/index.js';
import type { Connection } from '../connections/connection.js';
import { JoinSnapshot, type SharingJoinResult } from './join-snapshot.js';
import { QueueDeliveryService } from './queue-delivery.service.js';
import { Rooms } from './rooms.js';

/** Concurrent joins: enough to fill one batch of reads, and to let as many wait for the next. */
const MAX_CONCURRENT_JOINS = 100;

/** Lets connections join and leave conversations. */
@Injectable()
export class JoinService {
  /** When thousands of clients reconnect at once, some finish early instead of all finishing late. */
  private readonly concurrency = new ConcurrencyLimit(MAX_CONCURRENT_JOINS);

  constructor(
    private readonly conversations: ConversationsService,
    private readonly rooms: Rooms,
    private readonly snapshot: JoinSnapshot,
    private readonly deliveries: QueueDeliveryService,
  ) {}

  /**
   * Joins the room first, then reads the state: what is committed in between arrives twice at worst, and is never missed.
   * @throws {DomainError} `not_found`, or `conflict` when the conversation is full or the connection has joined the maximum
   * number of conversations.
   */
  async join(connection: Connection, payload: JoinPayload): Promise<SharingJoinResult> {
    const deadline = performance.now() + LIMITS.requestTimeoutMs;
    const release = await this.concurrency.acquire();
    try {
      // The client has already received `timeout`, or has disconnected: nobody would read this ack.
      if (performance.now() >= deadline || !connection.socket.connected) throw requestTimeout();
      return await this.joinNow(connection, payload);
    } finally {
      release();
    }
  }

  private async joinNow(connection: Connection, payload: JoinPayload): Promise<SharingJoinResult> {
    const { principal } = connection;
    const { conversationId, access } = payload;
    const membership = await this.rooms.join(connection, conversationId);
    if (!membership) {
      await this.conversations.enter(principal, conversationId, access);
      if (!(await this.rooms.join(connection, conversationId))) throw notFound();
    }
    try {
      // The token has a new display name for the member.
      if (membership && (principal.name ?? membership.name) !== membership.name) {
        await this.conversations.enter(principal, conversationId);
      }
      const state = await this.snapshot.read(connection.userId, payload);
      // Checked last: a removal during the reads has taken the connection out of the room (P10).
      if (!connection.joined.has(conversationId)) throw notFound();
      return state;
    } catch (error) {
      // A client whose join failed must not receive the conversation's events.
      this.leaveRoom(connection, conversationId);
      throw error;
    }
  }

  /** Stops live events; the membership and its queue remain. @throws {DomainError} `not_found` for a user who is not a member. */
  async leave(connection: Connection, conversationId: string): Promise<void> {
    if (!connection.joined.has(conversationId)) {
      await this.conversations.require(conversationId, connection.userId);
    }
    this.leaveRoom(connection, conversationId);
  }

  /** Messages that were committed while the connection was in the room, but not sent to it, arrive through the queue. */
  private leaveRoom(connection: Connection, conversationId: string): void {
    this.rooms.leave(connection, conversationId);
    this.deliveries.wake(connection, conversationId);
  }
}

function requestTimeout(): DomainError {
  return new DomainError('timeout', 'The request took too long. Send it again.');
}
