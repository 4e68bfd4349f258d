import { Injectable } from '@nestjs/common';
import { denied } from '../../auth/policy.js';
import { DomainError } from '../../common/domain-error.js';
import { SharedConversationsStore, type Pair } from '../../presence/shared-conversations.store.js';
import { PresenceService } from '../../presence/presence.service.js';
import { LIMITS, type Presence } from '../../protocol/index.js';
import type { Connection } from '../connections/connection.js';
import type { ConnectionObserver } from '../connections/connection-observer.js';

/** Tracks which users' presence the connections of this node subscribe to, in addition to that of the conversations they joined. */
@Injectable()
export class PresenceSubscriptions implements ConnectionObserver {
  private readonly byUser = new Map<string, Set<Connection>>();
  private readonly byConnection = new Map<Connection, Set<string>>();

  constructor(
    private readonly presence: PresenceService,
    private readonly sharedConversations: SharedConversationsStore,
  ) {}

  /** How many users are watched from this node, and how many connections watch somebody. */
  get size(): { users: number; connections: number } {
    return { users: this.byUser.size, connections: this.byConnection.size };
  }

  /**
   * Subscribes to all of `userIds`, or to none. @returns the presence of all users that this connection subscribes to.
   * @throws {DomainError} `not_found` where one of them shares no conversation with the subscriber, `conflict` beyond the limit.
   */
  async subscribe(connection: Connection, userIds: readonly string[]): Promise<Presence[]> {
    const wanted = new Set([...(this.byConnection.get(connection) ?? []), ...userIds]);
    if (wanted.size > LIMITS.watchedUsers) {
      throw new DomainError(
        'conflict',
        `A connection can watch at most ${LIMITS.watchedUsers} users at once. Unwatch one first.`,
      );
    }
    const allowed = await this.sharedConversations.share(userIds.map((other) => [connection.userId, other]));
    if (allowed.includes(false)) throw denied('presence:watch');
    // The socket may have closed during the query: nothing would remove these again (P7).
    if (connection.socket.connected) for (const userId of userIds) this.add(connection, userId);
    return this.states(connection);
  }

  unsubscribe(connection: Connection, userIds: readonly string[]): Promise<Presence[]> {
    for (const userId of userIds) this.delete(connection, userId);
    return this.states(connection);
  }

  onDisconnect(connection: Connection): void {
    for (const userId of this.byConnection.get(connection) ?? []) this.delete(connection, userId);
  }

  /** Returns how many connections of this node subscribe to a user. */
  countOf(userId: string): number {
    return this.byUser.get(userId)?.size ?? 0;
  }

  /** Returns for each of `userIds` its subscribers, without those whose user no longer shares a conversation with it (P10). */
  async allowed(userIds: readonly string[]): Promise<Connection[][]> {
    const subscribers = userIds.map((userId) => [...(this.byUser.get(userId) ?? [])]);
    const pairs = subscribers.flatMap((connections, index) =>
      connections.map((connection): Pair => [connection.userId, userIds[index] as string]),
    );
    const allowed = await this.sharedConversations.share(pairs);
    let position = 0;
    return subscribers.map((connections) => connections.filter(() => allowed[position++]));
  }

  private async states(connection: Connection): Promise<Presence[]> {
    const userIds = [...(this.byConnection.get(connection) ?? [])];
    const allowed = await this.sharedConversations.share(userIds.map((other) => [connection.userId, other]));
    return this.presence.of(userIds.filter((_, index) => allowed[index]));
  }

  private add(connection: Connection, userId: string): void {
    const subscribers = this.byUser.get(userId) ?? new Set();
    this.byUser.set(userId, subscribers.add(connection));
    const watched = this.byConnection.get(connection) ?? new Set();
    this.byConnection.set(connection, watched.add(userId));
  }

  private delete(connection: Connection, userId: string): void {
    const subscribers = this.byUser.get(userId);
    subscribers?.delete(connection);
    if (subscribers?.size === 0) this.byUser.delete(userId);
    const watched = this.byConnection.get(connection);
    watched?.delete(userId);
    if (watched?.size === 0) this.byConnection.delete(connection);
  }
}
