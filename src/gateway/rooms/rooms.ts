import { Injectable, Logger } from '@nestjs/common';
import type { Server } from 'socket.io';
import { DomainError, notFound } from '../../common/domain-error.js';
import { MemberCache } from '../../conversations/member-cache.js';
import { ConversationsStore, type MembershipRow } from '../../conversations/conversations.store.js';
import { MessagesStore } from '../../conversations/messages.store.js';
import { LIMITS, type Message, type ServerEvents } from '../../protocol/index.js';
import { Acknowledger } from '../../queue/acknowledger.js';
import { Relay } from '../../platform/relay/relay.js';
import { JOINING, type Connection } from '../connections/connection.js';
import { conversationRoom, Room, type Broadcast, type RoomSource } from './room.js';

/** Hears of connections that come into rooms and leave them, by themselves or taken out. Leaving may be told twice. */
export interface RoomObserver {
  joined(connection: Connection, conversationId: string): void;
  left(connection: Connection, conversationId: string): void;
  /** The user is no member any more: told after its connections have left. */
  removed(userId: string, conversationId: string): void;
  /** A message came by no socket. */
  said(message: Message): void;
}

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
  private observer: RoomObserver;

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

  has(conversationId: string): boolean {
    return this.entries.has(conversationId);
  }

  /** How many connections of this node have joined it. */
  audience(conversationId: string): number {
    return this.entries.get(conversationId)?.room.connections.size ?? 0;
  }

  attach(server: Server): void {
    this.server = server;
  }

  observe(observer: RoomObserver): void {
    this.observer = observer;
  }

  private requireSpace({ joined }: Connection, conversationId: string): void {
    const max = LIMITS.joinedConversations;
    if (joined.size < max || joined.has(conversationId)) return;
    throw new DomainError(
      'conflict',
      `A connection may have joined ${max} conversations at once. Leave one.`,
    );
  }

  /**
   * From when this resolves with how a member stands, its connection hears everything that is committed; null where the user is
   * no member. A removal that comes while the database is asked is noticed.
   * @throws {DomainError} `not_found`, `conflict`, or retryable when the database is slow or away.
   */
  async join(connection: Connection, conversationId: string): Promise<MembershipRow | null> {
    this.requireSpace(connection, conversationId);
    const { room } = this.entries.get(conversationId) ?? this.open(conversationId);
    room.connections.add(connection);
    connection.joined.set(conversationId, JOINING);
    try {
      const membership = await this.conversations.standing(conversationId, connection.userId);
      if (!membership) {
        this.leave(connection, conversationId);
        return null;
      }
      const isStillWelcome = room.connections.has(connection) && connection.socket.connected;
      if (!isStillWelcome) throw notFound();
      room.begin(membership.lastSeq);
      void connection.socket.join(conversationRoom(conversationId));
      connection.joined.set(conversationId, room.lastSeq);
      this.observer.joined(connection, conversationId);
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
    this.observer.left(connection, conversationId);
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
      const all = this.server.to(name);
      const room = isPassing(event, payload) ? all.volatile : all;
      (except === undefined ? room : room.except(except)).emit(event, payload);
    };
    const evict = (connection: Connection): void => this.leave(connection, conversationId);
    const room = new Room(conversationId, this, broadcast, evict);
    const stopListening = this.relay.subscribe('conversation', conversationId, (event) => {
      if (event.type === 'changed') this.obey(event.change.change, conversationId, event.change.userId);
      room.hear(event);
      if (event.type === 'message' && event.origin === undefined) this.observer.said(event.message);
    });
    const entry = { room, stopListening };
    this.entries.set(conversationId, entry);
    return entry;
  }

  /** A removed member hears nothing more in this room, from before the removal is acked (P10). */
  private obey(change: string, conversationId: string, userId: string | undefined): void {
    if (change !== 'removed' || userId === undefined) return;
    this.evict(userId, conversationId);
    this.observer.removed(userId, conversationId);
  }
}

/** That somebody types may be missed by who cannot take it at once; that it stopped must not: it would stand for ever. */
function isPassing<K extends keyof ServerEvents>(event: K, payload: ServerEvents[K]): boolean {
  return event === 'typing:update' && (payload as ServerEvents['typing:update']).isTyping;
}
