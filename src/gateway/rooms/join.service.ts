import { Injectable } from '@nestjs/common';
import { ConcurrencyLimit } from '../../common/concurrency-limit.js';
import { DomainError, notFound } from '../../common/domain-error.js';
import { ConversationsService } from '../../conversations/conversations.service.js';
import { SnapshotsStore } from '../../streaming/log/snapshots.store.js';
import { LIMITS, type JoinResult, type JoinPayload } from '../../protocol/index.js';
import { PresenceSnapshot } from './presence-snapshot.js';
import type { Connection } from '../connections/connection.js';
import { QueueDeliveries } from './queue-deliveries.js';
import { Rooms } from './rooms.js';
import type { Sharing } from './shared-fields.js';

/** Joins that are under way at once: as many as their gathered reads take, with as many waiting for the next. */
const AT_ONCE = 100;

/** Who is there, whoever asks, is told many in the same words. */
export type SharingJoinResult = Sharing<JoinResult, 'members' | 'presence'>;

/** Lets a connection hear a conversation. */
@Injectable()
export class JoinService {
  /** When thousands come back at once, some are done and the others wait: all together would all take too long. */
  private readonly turns = new ConcurrencyLimit(AT_ONCE);

  constructor(
    private readonly conversations: ConversationsService,
    private readonly snapshots: SnapshotsStore,
    private readonly rooms: Rooms,
    private readonly deliveries: QueueDeliveries,
    private readonly presenceSnapshot: PresenceSnapshot,
  ) {}

  /**
   * Joins first and reads then: what is committed meanwhile comes twice at worst, never not at all.
   * @throws {DomainError} `not_found`, or `conflict` when the conversation is full or the connection has joined as many
   * as it may.
   */
  async join(connection: Connection, payload: JoinPayload): Promise<SharingJoinResult> {
    const givenUpAt = performance.now() + LIMITS.requestTimeoutMs;
    const release = await this.turns.acquire();
    try {
      // The client has given up and will ask again: nobody would read this result.
      if (performance.now() >= givenUpAt || !connection.socket.connected) throw tooLate();
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
      // Its token names the member otherwise than before.
      if (membership && (principal.name ?? membership.name) !== membership.name) {
        await this.conversations.enter(principal, conversationId);
      }
      return await this.answer(connection, payload);
    } catch (error) {
      // Who is told that it has not joined does not listen either.
      this.quit(connection, conversationId);
      throw error;
    }
  }

  private async answer(
    { userId, joined }: Connection,
    { conversationId, afterSeq }: JoinPayload,
  ): Promise<SharingJoinResult> {
    const snapshot = await this.snapshots.of({ conversationId, userId, afterSeq });
    if (!snapshot) throw notFound();
    const { members, ...own } = snapshot;
    const company = await this.presenceSnapshot.in(conversationId, members, userId);
    // Last: a removal that came meanwhile has taken it out (P10).
    if (!joined.has(conversationId)) throw notFound();
    return { ...own, lastSeq: own.conversation.lastSeq, ...company };
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
