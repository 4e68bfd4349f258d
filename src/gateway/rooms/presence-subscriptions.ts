import { Injectable } from '@nestjs/common';
import { denied } from '../../auth/policy.js';
import { DomainError } from '../../common/domain-error.js';
import { SharedConversationsStore } from '../../presence/shared-conversations.store.js';
import { PresenceService } from '../../presence/presence.service.js';
import { LIMITS, type Presence } from '../../protocol/index.js';
import type { Connection } from '../connections/connection.js';

/** Whose presence the connections of this node watch, beside that of those who share a joined conversation. */
@Injectable()
export class PresenceSubscriptions {
  private readonly byUser = new Map<string, Set<Connection>>();
  private readonly byConnection = new Map<Connection, Set<string>>();

  constructor(
    private readonly presence: PresenceService,
    private readonly sharedConversations: SharedConversationsStore,
  ) {}

  /** Users who are watched, and connections that watch: both are 0 when nobody does. */
  get size(): { users: number; connections: number } {
    return { users: this.byUser.size, connections: this.byConnection.size };
  }

  /**
   * PresenceSubscriptions all of them, or none. @returns the states of all whom this connection watches now.
   * @throws {DomainError} `not_found` where one shares no conversation with the watcher, `conflict` beyond the limit.
   */
  async watch(connection: Connection, userIds: readonly string[]): Promise<Presence[]> {
    const wanted = new Set([...(this.byConnection.get(connection) ?? []), ...userIds]);
    if (wanted.size > LIMITS.watchedUsers) {
      throw new DomainError('conflict', `A connection may watch ${LIMITS.watchedUsers} users at once.`);
    }
    const mayKnow = await this.sharedConversations.share(userIds.map((other) => [connection.userId, other]));
    if (mayKnow.includes(false)) throw denied('presence:watch');
    // The socket may have ended while the database was asked: nobody would take these out again.
    if (connection.socket.connected) for (const userId of userIds) this.add(connection, userId);
    return this.states(connection);
  }

  unwatch(connection: Connection, userIds: readonly string[]): Promise<Presence[]> {
    for (const userId of userIds) this.delete(connection, userId);
    return this.states(connection);
  }

  forget(connection: Connection): void {
    for (const userId of this.byConnection.get(connection) ?? []) this.delete(connection, userId);
  }

  /** Connections that watch a user. That they still may is to be asked each time. */
  of(userId: string): ReadonlySet<Connection> | undefined {
    return this.byUser.get(userId);
  }

  private async states(connection: Connection): Promise<Presence[]> {
    const userIds = [...(this.byConnection.get(connection) ?? [])];
    const mayKnow = await this.sharedConversations.share(userIds.map((other) => [connection.userId, other]));
    return this.presence.of(userIds.filter((_, index) => mayKnow[index]));
  }

  private add(connection: Connection, userId: string): void {
    const watchers = this.byUser.get(userId) ?? new Set();
    this.byUser.set(userId, watchers.add(connection));
    const watched = this.byConnection.get(connection) ?? new Set();
    this.byConnection.set(connection, watched.add(userId));
  }

  private delete(connection: Connection, userId: string): void {
    const watchers = this.byUser.get(userId);
    watchers?.delete(connection);
    if (watchers?.size === 0) this.byUser.delete(userId);
    const watched = this.byConnection.get(connection);
    watched?.delete(userId);
    if (watched?.size === 0) this.byConnection.delete(connection);
  }
}
