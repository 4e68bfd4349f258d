import { Injectable } from '@nestjs/common';
import { ConnectionTracker } from './connection-tracker.js';
import type { Connection } from './connection.js';
import { IdleTimeouts } from '../engine/idle-timeouts.js';
import { ConnectionTyping } from '../rooms/connection-typing.js';
import { RoomEvents } from '../rooms/room-events.js';

/** Passes on what connections do to presence, typing, the registry and the idle timeout. */
@Injectable()
export class ConnectionActivity {
  constructor(
    private readonly tracker: ConnectionTracker,
    private readonly typing: ConnectionTyping,
    private readonly idle: IdleTimeouts,
    events: RoomEvents,
  ) {
    events.on('room.joined', (connection, conversationId) => tracker.onJoin(connection, conversationId));
    events.on('room.left', (connection, conversationId) => tracker.onLeave(connection, conversationId));
  }

  onConnect(connection: Connection): void {
    this.tracker.onConnect(connection);
    this.idle.watch(connection);
  }

  /** Handles an event of the client before it is validated. */
  onEvent(connection: Connection, event: string, payload: unknown): void {
    this.tracker.onActivity(connection);
    if (event === 'message:send') this.typing.onSend(connection, payload);
  }

  onDisconnect(connection: Connection): void {
    this.idle.forget(connection);
    this.typing.onDisconnect(connection);
    this.tracker.onDisconnect(connection);
  }
}
