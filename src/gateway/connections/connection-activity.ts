import { Injectable } from '@nestjs/common';
import { ConnectionTracker } from './connection-tracker.js';
import type { Connection } from './connection.js';
import { ConnectionTyping } from '../rooms/connection-typing.js';
import { RoomEvents } from '../rooms/room-events.js';

/** Passes on what the clients of connections do to presence, typing and the registry. */
@Injectable()
export class ConnectionActivity {
  constructor(
    private readonly tracker: ConnectionTracker,
    private readonly typing: ConnectionTyping,
    events: RoomEvents,
  ) {
    events.on('room.joined', (connection, conversationId) => tracker.onJoin(connection, conversationId));
    events.on('room.left', (connection, conversationId) => tracker.onLeave(connection, conversationId));
  }

  /** Handles an event of the client before it is validated. */
  onEvent(connection: Connection, event: string, payload: unknown): void {
    this.tracker.onActivity(connection);
    if (event === 'message:send') this.typing.onSend(connection, payload);
  }
}
