import { Injectable } from '@nestjs/common';
import type { Namespace } from 'socket.io';
import { DomainError, notFound } from '../../common/domain-error.js';
import { ConversationsStore, type MembershipRow } from '../../conversations/conversations.store.js';
import { LIMITS, type ServerEvents } from '../../protocol/index.js';
import { Relay } from '../../platform/relay/relay.js';
import type { ConversationEvent } from '../../platform/relay/topics.js';
import { JOINING, type Connection } from '../connections/connection.js';
import type { ConnectionObserver } from '../connections/connection-observer.js';
import { RoomEvents } from './room-events.js';
import { DatabaseRoomSource } from './room-source.js';
import { conversationRoom, Room, type Broadcast } from './room.js';

interface Entry {
  room: Room;
  unsubscribe: () => void;
}

/** The rooms of this node: one for each conversation that a connection of this node has joined. */
@Injectable()
export class Rooms implements ConnectionObserver {
  private readonly entries = new Map<string, Entry>();

  constructor(
    private readonly relay: Relay,
    private readonly conversations: ConversationsStore,
    private readonly source: DatabaseRoomSource,
    private readonly events: RoomEvents,
  ) {}

  get size(): number {
    return this.entries.size;
  }

  has(conversationId: string): boolean {
    return this.entries.has(conversationId);
  }

  /** Returns how many connections of this node have joined the conversation. */
  audience(conversationId: string): number {
    return this.entries.get(conversationId)?.room.connections.size ?? 0;
  }

  /** Returns the `seq` of the last message that the room of the conversation has sent to its connections; 0 where there is none. */
  lastSeqOf(conversationId: string): number {
    return this.entries.get(conversationId)?.room.lastSeq ?? 0;
  }

  /**
   * Joins a connection to the room of a conversation: it receives everything that is committed after this resolves. A
   * removal that arrives during the database query is noticed.
   * @returns the user's membership, or null where the user is not a member.
   * @throws {DomainError} `not_found`, `conflict`, or a retryable error when the database is slow or unavailable.
   */
  async join(connection: Connection, conversationId: string): Promise<MembershipRow | null> {
    requireCapacity(connection, conversationId);
    const { room } = this.entries.get(conversationId) ?? this.open(conversationId, connection.socket.nsp);
    room.connections.add(connection);
    connection.joined.set(conversationId, JOINING);
    try {
      const membership = await this.conversations.findMembership(conversationId, connection.userId);
      if (!membership) {
        this.leave(connection, conversationId);
        return null;
      }
      // The member may have been removed during the query (P10), or the socket closed: nothing would take it out again (P7).
      const isPresent = room.connections.has(connection) && connection.socket.connected;
      if (!isPresent) throw notFound();
      room.start(membership.lastSeq);
      void connection.socket.join(conversationRoom(conversationId));
      connection.joined.set(conversationId, room.lastSeq);
      this.events.emit('room.joined', connection, conversationId);
      return membership;
    } catch (error) {
      this.leave(connection, conversationId);
      throw error;
    }
  }

  leave(connection: Connection, conversationId: string): void {
    connection.joined.delete(conversationId);
    const entry = this.entries.get(conversationId);
    if (!entry?.room.connections.delete(connection)) return;
    void connection.socket.leave(conversationRoom(conversationId));
    this.events.emit('room.left', connection, conversationId);
    if (entry.room.connections.size > 0) return;
    entry.unsubscribe();
    entry.room.close();
    this.entries.delete(conversationId);
  }

  onDisconnect(connection: Connection): void {
    for (const conversationId of connection.joined.keys()) this.leave(connection, conversationId);
  }

  /** Removes all connections of a user from the room, at once. */
  evict(userId: string, conversationId: string): void {
    for (const connection of this.entries.get(conversationId)?.room.connections ?? []) {
      if (connection.userId === userId) this.leave(connection, conversationId);
    }
  }

  private open(conversationId: string, namespace: Namespace): Entry {
    const name = conversationRoom(conversationId);
    const broadcast: Broadcast = (event, payload, except) => {
      const all = namespace.to(name);
      const room = isVolatile(event, payload) ? all.volatile : all;
      (except === undefined ? room : room.except(except)).emit(event, payload);
    };
    const evict = (connection: Connection): void => this.leave(connection, conversationId);
    const room = new Room(conversationId, this.source, broadcast, evict);
    const unsubscribe = this.relay.subscribe('conversation', conversationId, (event) =>
      this.receive(room, event),
    );
    const entry = { room, unsubscribe };
    this.entries.set(conversationId, entry);
    return entry;
  }

  private receive(room: Room, event: ConversationEvent): void {
    const { conversationId } = room;
    if (event.type === 'changed') this.onChanged(event.change, conversationId);
    room.receive(event);
    if (event.type === 'message' && event.origin === undefined) {
      this.events.emit('message.posted', event.message);
    }
  }

  /** Takes a removed member's connections out of the room before the removal is acked (P10). */
  private onChanged({ change, userId }: ServerEvents['conversation:changed'], conversationId: string): void {
    if (change !== 'removed' || userId === undefined) return;
    this.evict(userId, conversationId);
    this.events.emit('member.removed', userId, conversationId);
  }
}

function requireCapacity({ joined }: Connection, conversationId: string): void {
  const max = LIMITS.joinedConversations;
  if (joined.size < max || joined.has(conversationId)) return;
  throw new DomainError(
    'conflict',
    `A connection can join at most ${max} conversations at once. Leave one first.`,
  );
}

/** Volatile: a client that cannot take it at once misses it. A missed stop would leave the typing indicator on for ever. */
function isVolatile<K extends keyof ServerEvents>(event: K, payload: ServerEvents[K]): boolean {
  return event === 'typing:update' && (payload as ServerEvents['typing:update']).isTyping;
}
