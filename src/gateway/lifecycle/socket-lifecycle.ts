import { Injectable, Logger, type BeforeApplicationShutdown } from '@nestjs/common';
import type { Server } from 'socket.io';
import type { Connection } from '../connections/connection.js';
import { Connections } from '../connections/connections.js';
import { QueueDeliveryService } from '../rooms/queue-delivery.service.js';
import { HandshakeMiddleware } from '../connections/handshake.js';
import { Rooms } from '../rooms/rooms.js';
import { UserEventSubscriptions } from '../rooms/user-event-subscriptions.js';

/** What happens to a socket from its handshake to its end. */
@Injectable()
export class SocketLifecycle implements BeforeApplicationShutdown {
  private readonly logger = new Logger('Connection');
  private server: Server | undefined;

  constructor(
    private readonly handshake: HandshakeMiddleware,
    private readonly connections: Connections,
    private readonly rooms: Rooms,
    private readonly userEvents: UserEventSubscriptions,
    private readonly deliveries: QueueDeliveryService,
  ) {}

  attach(server: Server): void {
    this.server = server;
    server.use(this.handshake.use);
    server.of(/./).use(this.handshake.refuseNamespace);
  }

  connected(connection: Connection): void {
    const { id: connectionId, userId, deviceId, principal } = connection;
    if (this.connections.add(connection)) this.userEvents.subscribe(userId);
    connection.emit('connection:status', {
      status: 'connected',
      connectionId,
      userId,
      deviceId,
      serverTime: new Date().toISOString(),
      ...(Number.isFinite(principal.expiresAt) && { expiresAt: new Date(principal.expiresAt).toISOString() }),
    });
    this.deliveries.start(connection);
    this.note(connection, 'connected', { transport: connection.transport });
  }

  disconnected(connection: Connection, reason: string): void {
    this.note(connection, 'disconnected', { reason });
    // An ordinary client closes the transport now; one that does not would hold a place for nothing.
    if (reason === 'client namespace disconnect') connection.socket.conn.close();
    this.deliveries.stop(connection);
    for (const conversationId of connection.joined.keys()) this.rooms.leave(connection, conversationId);
    if (this.connections.remove(connection)) this.userEvents.unsubscribe(connection.userId);
  }

  private note(connection: Connection, what: string, how: Record<string, string>): void {
    const { id: connectionId, userId, deviceId, context } = connection;
    this.logger.debug(what, { correlationId: context.id, connectionId, userId, deviceId, ...how });
  }

  /** Closes what is left: connections that came while the others were sent away. */
  beforeApplicationShutdown(): void {
    this.server?.engine.close();
  }
}
