import { Inject, Injectable, Logger, type OnModuleInit } from '@nestjs/common';
import { Server, type Socket } from 'socket.io';
import type { Connection } from '../connections/connection.js';
import { CONNECTION_OBSERVERS, type ConnectionObserver } from '../connections/connection-observer.js';
import { HandshakeMiddleware } from '../connections/handshake.js';

/** How long a client of long polling may take to close its transport after it left, in milliseconds. */
const POLLING_CLOSE_MS = 5000;

/** Handles a socket from its handshake to its disconnect. */
@Injectable()
export class SocketLifecycle implements OnModuleInit {
  private readonly logger = new Logger('Connection');

  constructor(
    private readonly server: Server,
    private readonly handshake: HandshakeMiddleware,
    @Inject(CONNECTION_OBSERVERS) private readonly observers: readonly ConnectionObserver[],
  ) {}

  onModuleInit(): void {
    this.server.use(this.handshake.use);
    this.server.of(/./).use(this.handshake.refuseNamespace);
    this.server.on('connection', (socket) => this.onConnect(socket));
  }

  private onConnect(socket: Socket): void {
    const connection = socket.data as Connection;
    // First, so that a listener that throws cannot keep this one from being called.
    socket.prependOnceListener('disconnect', (reason: string) => this.onDisconnect(connection, reason));
    greet(connection);
    for (const observer of this.observers) {
      // An earlier observer may have closed it, such as for a revoked token.
      if (socket.connected) this.notify(() => observer.onConnect?.(connection));
    }
    this.log(connection, 'connected', { transport: connection.transport });
  }

  private onDisconnect(connection: Connection, reason: string): void {
    this.log(connection, 'disconnected', { reason });
    if (reason === 'client namespace disconnect') closeAfter(connection.socket.conn);
    for (const observer of this.observers) this.notify(() => observer.onDisconnect?.(connection, reason));
  }

  private notify(call: () => void): void {
    try {
      call();
    } catch (error) {
      this.logger.error('connection observer failed', error);
    }
  }

  private log(connection: Connection, message: string, fields: Record<string, string>): void {
    const { id: connectionId, userId, deviceId, context } = connection;
    this.logger.debug(message, { correlationId: context.id, connectionId, userId, deviceId, ...fields });
  }
}

/**
 * Closes a transport after its client has left the namespace. An ordinary client closes it itself now, over polling by one
 * more request, which must still find its session. One that does not must not keep it.
 */
function closeAfter(conn: Socket['conn']): void {
  if (conn.transport.name !== 'polling') {
    conn.close();
    return;
  }
  const timer = setTimeout(() => conn.close(), POLLING_CLOSE_MS);
  conn.once('close', () => clearTimeout(timer));
}

function greet(connection: Connection): void {
  const { id: connectionId, userId, deviceId, principal } = connection;
  connection.emit('connection:status', {
    ...{ status: 'connected', connectionId, userId, deviceId },
    serverTime: new Date().toISOString(),
    ...(Number.isFinite(principal.expiresAt) && { expiresAt: new Date(principal.expiresAt).toISOString() }),
  });
}
