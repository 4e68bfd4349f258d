import { Injectable } from '@nestjs/common';
import type { Server } from 'socket.io';
import { isConversationId, type Message } from '../../protocol/index.js';
import { TypingService } from '../../typing/typing.service.js';
import { ConnectionTracker } from './connection-tracker.js';
import type { Connection } from './connection.js';
import { IdleTimeouts } from '../engine/idle-timeouts.js';
import { PresenceBroadcast } from '../rooms/presence-broadcast.js';
import { Rooms, type RoomObserver } from '../rooms/rooms.js';

/** What a connection's coming, acting and going mean for presence, typing, the registry and the idle time-out. */
@Injectable()
export class ConnectionActivity implements RoomObserver {
  constructor(
    private readonly tracker: ConnectionTracker,
    private readonly typing: TypingService,
    private readonly idle: IdleTimeouts,
    private readonly rooms: Rooms,
    private readonly broadcast: PresenceBroadcast,
  ) {}

  attach(server: Server): void {
    this.rooms.observe(this);
    this.broadcast.attach(server);
  }

  connected(connection: Connection): void {
    this.tracker.onConnect(connection);
    this.idle.watch(connection);
  }

  /** An event of the client has come; nothing of it has been checked yet. */
  heard(connection: Connection, event: string, payload: unknown): void {
    this.tracker.onActivity(connection);
    if (event === 'message:send') this.stopTyping(connection, payload);
  }

  disconnected(connection: Connection): void {
    this.idle.forget(connection);
    for (const conversationId of connection.typingIn) this.release(connection, conversationId);
    this.tracker.onDisconnect(connection);
  }

  joined(connection: Connection, conversationId: string): void {
    this.tracker.onJoin(connection, conversationId);
  }

  left(connection: Connection, conversationId: string): void {
    this.tracker.onLeave(connection, conversationId);
    if (connection.typingIn.has(conversationId)) this.release(connection, conversationId);
  }

  removed(userId: string, conversationId: string): void {
    this.broadcast.removed(userId, conversationId);
    this.typing.end(conversationId, userId);
  }

  said({ role, senderId, conversationId }: Message): void {
    if (role === 'user') this.typing.end(conversationId, senderId);
  }

  /** Who sends has stopped typing, on whichever device. */
  private stopTyping({ userId, typingIn }: Connection, payload: unknown): void {
    const { conversationId } = (payload ?? {}) as Record<string, unknown>;
    if (!isConversationId(conversationId)) return;
    typingIn.delete(conversationId);
    this.typing.end(conversationId, userId);
  }

  private release(connection: Connection, conversationId: string): void {
    const { id: connectionId, userId, typingIn } = connection;
    typingIn.delete(conversationId);
    this.typing.release({ conversationId, userId, connectionId });
  }
}
