import { Injectable } from '@nestjs/common';
import type { Counter, Gauge } from 'prom-client';
import { MetricsRegistry } from '../../platform/metrics/registry.js';
import type { ErrorCode } from '../../protocol/index.js';
import type { ConnectionObserver } from './connection-observer.js';
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
@Injectable()
export class ConnectionMetrics implements ConnectionObserver {
  private readonly refusals: Counter<'code'>;
  private readonly connects: Counter<'transport'>;
  private readonly upgrades: Counter;
  private readonly disconnects: Counter<'reason'>;

  constructor(
    registry: MetricsRegistry,
    streams: StreamMetrics,
    private readonly connections: Connections,
  ) {
    streams.countViewers('websocket', () => this.countJoins());
    this.refusals = registry.counter(
      'streamgate_handshake_refusals_total',
      'Handshakes and requests of long polling that were refused, over HTTP or by connect_error.',
      ['code'],
    );
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

  /** Counts a request or handshake that was refused before there was a connection. */
  readonly onRefused = (code: ErrorCode): void => this.refusals.inc({ code });

  onConnect(connection: Connection): void {
    this.connects.inc({ transport: connection.transport });
    connection.onceUpgraded(() => this.upgrades.inc());
  }

  onDisconnect({ closedFor }: Connection, reason: string): void {
    this.disconnects.inc({ reason: closedFor ?? REASONS.get(reason) ?? 'other' });
  }

  /** Counts the sockets that receive answers, once for each conversation that they joined. */
  private countJoins(): number {
    let count = 0;
    for (const { joined } of this.connections.all()) count += joined.size;
    return count;
  }

  /** Counts when the metrics are read, so that an upgrade is never missed. */
  private setConnections(gauge: Gauge<'transport'>): void {
    const counts = { websocket: 0, polling: 0 };
    for (const { transport } of this.connections.all()) counts[transport] += 1;
    for (const transport of TRANSPORTS) gauge.set({ transport }, counts[transport]);
  }
}
