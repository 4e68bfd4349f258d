import type { INestApplicationContext } from '@nestjs/common';
import { IoAdapter } from '@nestjs/platform-socket.io';
import type { MessageMappingProperties } from '@nestjs/websockets';
import type { Server, ServerOptions, Socket } from 'socket.io';
import { DomainError } from '../../common/domain-error.js';
import type { Config } from '../../platform/config/config.js';
import { Draining, serverDraining } from '../../platform/lifecycle/draining.js';
import { originCheck } from '../../platform/http/origins.js';
import { securityHeaders } from '../../platform/http/security-headers.js';
import { ClientAddresses } from '../../platform/limits/client-addresses.js';
import { LimitsMetrics } from '../../platform/limits/limits-metrics.js';
import { RateLimits } from '../../platform/limits/rate-limits.js';
import { SOCKET_PATH } from '../../protocol/index.js';
import {
  admission,
  forHandshakes,
  isHandshake,
  type AdmissionCheck,
  type EngineRequest,
} from './admission.js';
import { boundedParser } from './bounded-parser.js';
import { boundPolling } from './bounded-polling.js';
import { BoundedWebSocketServer } from './bounded-web-socket.js';
import type { Connection } from '../connections/connection.js';
import { Dispatcher } from '../events/dispatcher.js';
import type { EngineServer } from './engine.js';
import { coalesceWrites } from './write-coalescing.js';
import { HandshakeMetrics } from '../connections/handshake-metrics.js';
import { protocolCheck } from './protocol-check.js';
import { SlowConsumers } from './slow-consumers.js';
import { frameShared } from './packet-encoder.js';

/** How long a client may take from the handshake to the namespace, in milliseconds; then its transport is closed. */
const CONNECT_TIMEOUT_MS = 10_000;
/** When a client that found no room may try again, in milliseconds. */
const FULL_RETRY_MS = 5000;

/** Socket.IO as this service runs it: its bounds, its heartbeat, and one place that owns every acknowledgement. */
export class SocketAdapter extends IoAdapter {
  private readonly dispatcher: Dispatcher;
  private readonly draining: Draining;
  private readonly limits: RateLimits;
  private readonly addresses: ClientAddresses;
  private readonly refused: HandshakeMetrics['refused'];
  private readonly slowConsumers: SlowConsumers;
  private readonly countFull: () => void;

  constructor(
    app: INestApplicationContext,
    private readonly config: Config,
  ) {
    super(app);
    this.dispatcher = app.get(Dispatcher);
    this.draining = app.get(Draining);
    this.limits = app.get(RateLimits);
    this.addresses = app.get(ClientAddresses);
    this.slowConsumers = app.get(SlowConsumers);
    this.countFull = app.get(LimitsMetrics).refusalsOf('connections');
    this.refused = app.get(HandshakeMetrics).refused;
  }

  override createIOServer(port: number, options?: ServerOptions): Server {
    const { HEARTBEAT_INTERVAL_MS, HEARTBEAT_TIMEOUT_MS, MAX_PAYLOAD_BYTES, CORS_ORIGINS } = this.config;
    const server: Server = super.createIOServer(port, {
      ...options,
      path: SOCKET_PATH,
      serveClient: false,
      connectTimeout: CONNECT_TIMEOUT_MS,
      // Each that is asked for is made, refused, and forgotten.
      cleanupEmptyChildNamespaces: true,
      pingInterval: HEARTBEAT_INTERVAL_MS,
      pingTimeout: HEARTBEAT_TIMEOUT_MS,
      maxHttpBufferSize: 4 * MAX_PAYLOAD_BYTES,
      parser: boundedParser(MAX_PAYLOAD_BYTES),
      wsEngine: BoundedWebSocketServer,
      ...(CORS_ORIGINS.length > 0 && { cors: { origin: CORS_ORIGINS, credentials: true } }),
    } as ServerOptions);
    const engine = server.engine as object as EngineServer;
    engine.use(securityHeaders({ tls: this.config.TLS_CERT_FILE !== undefined }));
    engine.use(admission(this.checks(engine), this.refused));
    engine.on('connection', frameShared);
    engine.on('connection', coalesceWrites);
    engine.on('connection', boundPolling);
    server.on('connection', ({ data }) => {
      const connection = data as Connection;
      // Before anything is said to it.
      this.slowConsumers.watch(connection);
      this.dispatcher.listen(connection);
    });
    return server;
  }

  /** What a request must pass before the handshake, in this order; the place is taken last. */
  private checks(engine: EngineServer): AdmissionCheck[] {
    return [
      originCheck(this.config.CORS_ORIGINS),
      forHandshakes(() => (this.draining.active ? serverDraining() : null)),
      (request) => this.excess(request),
      protocolCheck(engine),
      forHandshakes(() => this.fullness(engine)),
    ];
  }

  /** Handshakes, and what comes after them: requests of long polling, and upgrades. */
  private async excess(request: EngineRequest): Promise<DomainError | null> {
    const { addressConnects, addressPolling } = this.limits;
    const limiter = isHandshake(request) ? addressConnects : addressPolling;
    const refusal = await limiter.tryConsume(this.addresses.keyOf(request));
    return refusal?.error ?? null;
  }

  /** Connections of engine.io count, so also those that never connect to the namespace. */
  private fullness({ clientsCount }: EngineServer): DomainError | null {
    if (clientsCount < this.config.MAX_CONNECTIONS) return null;
    this.countFull();
    const message = 'The server has as many connections as it may have. Try again later.';
    return new DomainError('too_many_connections', message, { retryAfterMs: FULL_RETRY_MS });
  }

  /**
   * Nest's own binding makes a pipeline of observables per event and socket, and owns no acknowledgement. Nest binds the
   * handlers of each gateway to each socket anew: kept are only the first ones, which `CurrentConnection` makes good for all.
   */
  override bindMessageHandlers(_socket: Socket, handlers: MessageMappingProperties[]): void {
    this.dispatcher.learn(handlers);
  }

  /** Nest asks once for each gateway, and each time tells all gateways, which want to hear it once. */
  override bindClientDisconnect(socket: Socket, callback: (reason: string) => void): void {
    if (socket.listenerCount('disconnect') === 0) socket.on('disconnect', callback);
  }
}
