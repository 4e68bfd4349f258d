import { Injectable } from '@nestjs/common';
import { ConnectionTracker } from './connection-tracker.js';
import type { Connection } from './connection.js';
import { ConnectionTyping } from '../rooms/connection-typing.js';
import { RoomEvents } from '../rooms/room-events.js';
import { Rooms } from '../rooms/rooms.js';
import { orderOf, type Order } from '../events/event-queue.js';

const UNORDERED: Order = { key: undefined, sharedKind: undefined };

/** Passes on what the clients of connections do to presence, typing and the registry, and says what depends on its order. */
@Injectable()
export class ConnectionActivity {
  constructor(
    private readonly tracker: ConnectionTracker,
    private readonly typing: ConnectionTyping,
    private readonly rooms: Rooms,
    events: RoomEvents,
  ) {
    events.on('room.joined', (connection, conversationId) => tracker.onJoin(connection, conversationId));
    events.on('room.left', (connection, conversationId) => tracker.onLeave(connection, conversationId));
  }

  /** Called when an event of the client arrives. */
  onEvent(connection: Connection): void {
    this.tracker.onActivity(connection);
  }

  /** Called when the event's turn has come: an indicator that began before a message ends by it. `payload` has not been validated. */
  onHandle(connection: Connection, event: string, payload: unknown): void {
    if (event === 'message:send') this.typing.onSend(connection, payload);
  }

  /** Returns the order of an event whose payload has not been validated (protocol section 4.11). */
  orderOf(connection: Connection, event: string, payload: unknown): Order {
    if (event === 'message:ack' && this.isOfReceived(connection, payload)) return UNORDERED;
    return orderOf(event, payload);
  }

  /** An ack of what the connection was sent has the same effect whenever it is handled: no message sent meanwhile waits for it. */
  private isOfReceived(connection: Connection, payload: unknown): boolean {
    const { conversationId, seq } = (payload ?? {}) as Record<string, unknown>;
    if (typeof conversationId !== 'string' || typeof seq !== 'number') return false;
    return connection.hasJoined(conversationId) && seq <= this.rooms.lastSeqOf(conversationId);
  }
}
