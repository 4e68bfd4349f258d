import { WebSocketGateway, type OnGatewayConnection, type OnGatewayDisconnect } from '@nestjs/websockets';
import type { Socket } from 'socket.io';
import type { Counter, Gauge } from 'prom-client';
import { MetricsRegistry } from '../../platform/metrics/registry.js';
import type { Connection } from './connection.js';
import { Connections } from './connections.js';
import { StreamMetrics } from '../../streaming/metrics/stream-metrics.js';

/** Socket.IO's reasons of a disconnect, as labels. */
const REASONS = new Map([
  ['transport close', 'transport_close'],
  ['transport error', 'transport_error'],
  ['ping timeout', 'ping_timeout'],
  ['parse error', 'parse_error'],
  ['client namespace disconnect', 'client'],
  ['server namespace disconnect', 'server'],
  ['forced server close', 'server'],
  ['forced close', 'server'],
  ['server shutting down', 'server'],
]);

const TRANSPORTS = ['websocket', 'polling'] as const;

/** Counts connections: how they come and go, and how many there are. */
@WebSocketGateway()
export class ConnectionMetrics implements OnGatewayConnection<Socket>, OnGatewayDisconnect<Socket> {
  private readonly connects: Counter<'transport'>;
  private readonly upgrades: Counter;
  private readonly disconnects: Counter<'reason'>;

  constructor(
    registry: MetricsRegistry,
    streams: StreamMetrics,
    private readonly connections: Connections,
  ) {
    streams.countViewers('websocket', () => this.countJoins());
    this.connects = registry.counter(
      'streamgate_connects_total',
      'Connections that were opened, by the transport that they began with.',
      ['transport'],
    );
    this.upgrades = registry.counter(
      'streamgate_upgrades_total',
      'Connections that went from polling to WebSocket after they were open.',
    );
    this.disconnects = registry.counter('streamgate_disconnects_total', 'Connections that have ended.', [
      'reason',
    ]);
    registry.gauge('streamgate_connections', 'Open connections.', {
      labelNames: ['transport'],
      collect: (gauge) => this.setConnections(gauge),
    });
    registry.gauge('streamgate_connected_users', 'Users with an open connection to this process.', {
      collect: (gauge) => gauge.set(this.connections.users),
    });
  }

  handleConnection(socket: Socket): void {
    const connection = socket.data as Connection;
    this.connects.inc({ transport: connection.transport });
    connection.onceUpgraded(() => this.upgrades.inc());
  }

  handleDisconnect(socket: Socket, reason: string): void {
    const { closedFor } = socket.data as Connection;
    this.disconnects.inc({ reason: closedFor ?? REASONS.get(reason) ?? 'other' });
  }

  /** Counts the sockets that receive answers, once for each conversation that they joined. */
  private countJoins(): number {
    let count = 0;
    for (const { joined } of this.connections.all()) count += joined.size;
    return count;
  }

  /** Looked at when somebody asks, so that an upgrade is never missed. */
  private setConnections(gauge: Gauge<'transport'>): void {
    const counts = { websocket: 0, polling: 0 };
    for (const { transport } of this.connections.all()) counts[transport] += 1;
    for (const transport of TRANSPORTS) gauge.set({ transport }, counts[transport]);
  }
}
