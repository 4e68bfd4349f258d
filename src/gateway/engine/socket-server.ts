import { Inject, Injectable, type BeforeApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import type { IncomingMessage, Server as HttpServer } from 'node:http';
import { Server } from 'socket.io';
import { CONFIG, type Config } from '../../platform/config/config.js';
import { ignoreOtherUpgrades } from '../../platform/http/ignored-upgrades.js';
import { securityHeaders } from '../../platform/http/security-headers.js';
import { SOCKET_PATH } from '../../protocol/index.js';
import { ConnectionMetrics } from '../connections/connection-metrics.js';
import { admission, AdmissionChecks } from './admission.js';
import { boundedParser } from './bounded-parser.js';
import { BoundedWebSocketServer } from './bounded-web-socket.js';
import { boundPolling, type EngineServer } from './engine.js';
import { frameShared } from './packet-encoder.js';
import { coalesceWrites } from './write-coalescing.js';

/** How long a client may take from the handshake to the namespace, in milliseconds; then its transport is closed. */
const CONNECT_TIMEOUT_MS = 10_000;

/**
 * Creates the Socket.IO server with this service's limits and heartbeat. It accepts connections once
 * {@link SocketServer} attaches it.
 */
export function createSocketServer(config: Config): Server {
  const { CORS_ORIGINS } = config;
  return new Server({
    path: SOCKET_PATH,
    serveClient: false,
    connectTimeout: CONNECT_TIMEOUT_MS,
    // Requested namespaces are created, refused and removed.
    cleanupEmptyChildNamespaces: true,
    pingInterval: config.HEARTBEAT_INTERVAL_MS,
    pingTimeout: config.HEARTBEAT_TIMEOUT_MS,
    maxHttpBufferSize: 4 * config.MAX_PAYLOAD_BYTES,
    parser: boundedParser(config.MAX_PAYLOAD_BYTES),
    wsEngine: BoundedWebSocketServer,
    ...(CORS_ORIGINS.length > 0 && { cors: { origin: CORS_ORIGINS, credentials: true } }),
  });
}

/**
 * Adds the slash that engine.io wants at the end of its path: clients with `addTrailingSlash: false`, and proxies such as
 * Next.js, leave it out. engine.io's own option takes every path that begins like this one.
 */
function addSlash(request: IncomingMessage): void {
  const { url = '' } = request;
  const rest = url.slice(SOCKET_PATH.length);
  if (url.startsWith(SOCKET_PATH) && (rest === '' || rest.startsWith('?')))
    request.url = `${SOCKET_PATH}/${rest}`;
}

/** Attaches Socket.IO to the HTTP server, with admission before the handshake, and closes it at shutdown. */
@Injectable()
export class SocketServer implements OnModuleInit, BeforeApplicationShutdown {
  constructor(
    private readonly server: Server,
    private readonly http: HttpAdapterHost,
    private readonly checks: AdmissionChecks,
    private readonly metrics: ConnectionMetrics,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  onModuleInit(): void {
    const http = this.http.httpAdapter.getHttpServer() as HttpServer;
    this.server.attach(http);
    ignoreOtherUpgrades(http);
    for (const event of ['request', 'upgrade']) http.prependListener(event, addSlash);
    const engine = this.server.engine as object as EngineServer;
    engine.use(securityHeaders({ tls: this.config.TLS_CERT_FILE !== undefined }));
    engine.use(admission(this.checks.for(engine), this.metrics.onRefused));
    engine.on('connection', frameShared);
    engine.on('connection', coalesceWrites);
    engine.on('connection', boundPolling);
  }

  /** Closes the connections that opened while the others were being closed. */
  beforeApplicationShutdown(): void {
    // A start that ends early has not attached it.
    const engine: Server['engine'] | undefined = this.server.engine;
    engine?.close();
  }
}
