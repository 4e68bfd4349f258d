import { Injectable, type BeforeApplicationShutdown } from '@nestjs/common';
import type { Server } from 'socket.io';
import type { Connection } from './connection.js';
import { Connections } from './connections.js';
import { Deliveries } from './deliveries.js';
import { HandshakeMiddleware } from './handshake.js';
import { userRoom } from './room.js';
import { Rooms } from './rooms.js';
import { UserTopics } from './user-topics.js';

/** What happens to a socket from its handshake to its end. */
@Injectable()
export class SocketLifecycle implements BeforeApplicationShutdown {
  private server: Server | undefined;

  constructor(
    private readonly handshake: HandshakeMiddleware,
    private readonly connections: Connections,
    private readonly rooms: Rooms,
    private readonly topics: UserTopics,
    private readonly deliveries: Deliveries,
  ) {}

  attach(server: Server): void {
    this.server = server;
    this.rooms.attach(server);
    server.use(this.handshake.use);
  }

  connected(connection: Connection): void {
    const { id: connectionId, userId, deviceId, principal } = connection;
    void connection.socket.join(userRoom(userId));
    if (this.connections.add(connection)) this.topics.listen(userId);
    connection.emit('connection:status', {
      status: 'connected',
      connectionId,
      userId,
      deviceId,
      serverTime: new Date().toISOString(),
      ...(Number.isFinite(principal.expiresAt) && { expiresAt: new Date(principal.expiresAt).toISOString() }),
    });
    this.deliveries.start(connection);
  }

  disconnected(connection: Connection): void {
    this.deliveries.stop(connection);
    for (const conversationId of connection.joined.keys()) this.rooms.leave(connection, conversationId);
    if (this.connections.remove(connection)) this.topics.stopListening(connection.userId);
  }

  /** The transports are closed, not the namespaces: so that clients come back by themselves. */
  beforeApplicationShutdown(): void {
    for (const connection of this.connections.all()) connection.socket.conn.close();
    this.server?.engine.close();
  }
}
