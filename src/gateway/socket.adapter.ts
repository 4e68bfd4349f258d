import type { INestApplicationContext } from '@nestjs/common';
import { IoAdapter } from '@nestjs/platform-socket.io';
import type { MessageMappingProperties } from '@nestjs/websockets';
import type { Server, ServerOptions, Socket } from 'socket.io';
import type { Config } from '../config/config.js';
import { SOCKET_PATH } from '../protocol/index.js';
import { boundedParser } from './bounded-parser.js';
import { dispatcher } from './dispatch.js';

/** Socket.IO as this service runs it: its bounds, its heartbeat, and one place that owns every acknowledgement. */
export class SocketAdapter extends IoAdapter {
  private readonly handlers = new WeakMap<Socket, Map<string, MessageMappingProperties['callback']>>();

  constructor(
    app: INestApplicationContext,
    private readonly config: Config,
  ) {
    super(app);
  }

  override createIOServer(port: number, options?: ServerOptions): Server {
    const { HEARTBEAT_INTERVAL_MS, HEARTBEAT_TIMEOUT_MS, MAX_PAYLOAD_BYTES, CORS_ORIGINS } = this.config;
    return super.createIOServer(port, {
      ...options,
      path: SOCKET_PATH,
      serveClient: false,
      pingInterval: HEARTBEAT_INTERVAL_MS,
      pingTimeout: HEARTBEAT_TIMEOUT_MS,
      maxHttpBufferSize: 4 * MAX_PAYLOAD_BYTES,
      parser: boundedParser(MAX_PAYLOAD_BYTES),
      ...(CORS_ORIGINS.length > 0 && { cors: { origin: CORS_ORIGINS, credentials: true } }),
    } as ServerOptions);
  }

  /**
   * Nest's own binding makes a pipeline of observables per event and socket, and owns no acknowledgement. Called once for
   * each gateway: all of a socket's events have one dispatcher, which alone knows which do not exist.
   */
  override bindMessageHandlers(socket: Socket, handlers: MessageMappingProperties[]): void {
    let callbacks = this.handlers.get(socket);
    if (!callbacks) {
      callbacks = new Map();
      this.handlers.set(socket, callbacks);
      socket.onAny(dispatcher(callbacks));
    }
    for (const { message, callback } of handlers) callbacks.set(message as string, callback);
  }
}
