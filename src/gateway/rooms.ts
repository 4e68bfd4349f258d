import { Injectable, Logger } from '@nestjs/common';
import type { Server } from 'socket.io';
import { notFound } from '../common/domain-error.js';
import { MemberCache } from '../conversations/member-cache.js';
import { ConversationsStore } from '../conversations/conversations.store.js';
import { MessagesStore } from '../conversations/messages.store.js';
import { LIMITS, type Message } from '../protocol/index.js';
import { Acknowledger } from '../queue/acknowledger.js';
import { Relay } from '../relay/relay.js';
import type { Connection } from './connection.js';
import { conversationRoom, Room, type Broadcast, type RoomSource } from './room.js';

interface Entry {
  room: Room;
  stopListening: () => void;
}

/** The rooms of this node: one per conversation that some connection here has joined. */
@Injectable()
export class Rooms implements RoomSource {
  private readonly logger = new Logger(Rooms.name);
  private readonly entries = new Map<string, Entry>();
  private server: Server;

  constructor(
    private readonly relay: Relay,
    private readonly conversations: ConversationsStore,
    private readonly log: MessagesStore,
    private readonly cache: MemberCache,
    private readonly acknowledger: Acknowledger,
  ) {}

  get size(): number {
    return this.entries.size;
  }

  attach(server: Server): void {
    this.server = server;
  }

  /**
   * From when this resolves, the connection hears everything that is committed.
   * @param check asks whether the user is a member. A removal that comes while it is under way is noticed.
   * @throws {DomainError} what `check` throws, or `not_found`.
   */
  async join(connection: Connection, conversationId: string, check: () => Promise<unknown>): Promise<void> {
    const { room } = this.entries.get(conversationId) ?? this.open(conversationId);
    room.connections.add(connection);
    connection.joined.set(conversationId, Number.MAX_SAFE_INTEGER);
    try {
      await Promise.all([room.opened, check()]);
      const isStillWelcome = room.connections.has(connection) && connection.socket.connected;
      if (!isStillWelcome) throw notFound();
      void connection.socket.join(conversationRoom(conversationId));
      connection.joined.set(conversationId, room.lastSeq);
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
    if (entry.room.connections.size > 0) return;
    entry.stopListening();
    entry.room.close();
    this.entries.delete(conversationId);
  }

  /** Takes all connections of a user out, at once. */
  evict(userId: string, conversationId: string): void {
    for (const connection of this.entries.get(conversationId)?.room.connections ?? []) {
      if (connection.userId === userId) this.leave(connection, conversationId);
    }
  }

  lastSeq(conversationId: string): Promise<number> {
    return this.conversations.lastSeq(conversationId);
  }

  async messagesAfter(conversationId: string, afterSeq: number): Promise<Message[]> {
    return (await this.log.page({ conversationId, afterSeq, limit: LIMITS.pageMessages })).messages;
  }

  members(conversationId: string, version: number): Promise<ReadonlySet<string>> {
    return this.cache.at(conversationId, version);
  }

  taken({ userId }: Connection, { conversationId, seq }: Message): void {
    this.acknowledger.take(userId, conversationId, seq);
  }

  failed(conversationId: string, error: unknown): void {
    this.logger.warn(`room ${conversationId} could not show a message: ${String(error)}`);
  }

  private open(conversationId: string): Entry {
    const name = conversationRoom(conversationId);
    const broadcast: Broadcast = (event, payload, except) => {
      const room = this.server.to(name);
      (except === undefined ? room : room.except(except)).emit(event, payload);
    };
    const evict = (connection: Connection): void => this.leave(connection, conversationId);
    const room = new Room(conversationId, this, broadcast, evict);
    const stopListening = this.relay.subscribe('conversation', conversationId, (event) => {
      if (event.type === 'changed') this.obey(event.change.change, conversationId, event.change.userId);
      room.hear(event);
    });
    const entry = { room, stopListening };
    this.entries.set(conversationId, entry);
    return entry;
  }

  /** A removed member hears nothing more in this room, from before the removal is acked (P10). */
  private obey(change: string, conversationId: string, userId: string | undefined): void {
    if (change === 'removed' && userId !== undefined) this.evict(userId, conversationId);
  }
}
