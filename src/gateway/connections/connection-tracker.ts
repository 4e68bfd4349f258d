import {
  Inject,
  Injectable,
  Logger,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
} from '@nestjs/common';
import { PeriodicTask } from '../../common/periodic-task.js';
import { NodeIdentity } from '../../common/ids.js';
import { CONFIG, type Config } from '../../platform/config/config.js';
import { PresenceService } from '../../presence/presence.service.js';
import {
  ConnectionRegistry,
  type RegisteredConnection,
} from '../../presence/registry/connection-registry.js';
import type { Connection } from './connection.js';
import type { ConnectionObserver } from './connection-observer.js';
import { Connections } from './connections.js';

/** Renewed three times within a lease: one that is late or lost does no harm. */
const RENEWALS_PER_LEASE = 3;
const MAX_TOUCH_MS = 1000;

/** Notifies presence and the registry when connections of this node open, are used, are still open, and close. */
@Injectable()
export class ConnectionTracker implements ConnectionObserver, OnApplicationBootstrap, OnApplicationShutdown {
  private readonly logger = new Logger(ConnectionTracker.name);
  private readonly renewals: PeriodicTask;
  /** Shortest time between two notifications of a connection's activity, in milliseconds. */
  private readonly touchMs: number;
  private readonly toldAt = new WeakMap<Connection, number>();

  constructor(
    private readonly connections: Connections,
    private readonly presence: PresenceService,
    private readonly registry: ConnectionRegistry,
    private readonly node: NodeIdentity,
    @Inject(CONFIG) config: Config,
  ) {
    this.touchMs = Math.min(MAX_TOUCH_MS, config.PRESENCE_AWAY_AFTER_MS / 10);
    this.renewals = new PeriodicTask({
      name: 'renew presence leases',
      intervalMs: config.PRESENCE_LEASE_MS / RENEWALS_PER_LEASE,
      run: () => this.renew(),
    });
  }

  onApplicationBootstrap(): void {
    this.renewals.start();
  }

  onApplicationShutdown(): Promise<void> {
    return this.renewals.stop();
  }

  onConnect(connection: Connection): void {
    const { id: connectionId, userId } = connection;
    this.presence.connect({ userId, connectionId });
    this.note(this.registry.add(this.describe(connection)));
    connection.onceUpgraded(() => this.note(this.registry.update(connectionId, { transport: 'websocket' })));
  }

  onDisconnect({ id: connectionId, userId }: Connection): void {
    this.presence.disconnect({ userId, connectionId });
    this.note(this.registry.remove(connectionId));
  }

  /** The client has sent something, whatever it is. */
  onActivity(connection: Connection): void {
    const now = performance.now();
    connection.lastActivityAt = now;
    if (now - (this.toldAt.get(connection) ?? -Infinity) < this.touchMs) return;
    this.toldAt.set(connection, now);
    this.presence.touch(connection.userId);
    this.note(this.registry.update(connection.id, { lastActivityAt: Date.now() }));
  }

  onJoin({ id }: Connection, conversationId: string): void {
    this.note(this.registry.join(id, conversationId));
  }

  onLeave({ id }: Connection, conversationId: string): void {
    this.note(this.registry.leave(id, conversationId));
  }

  private async renew(): Promise<void> {
    const mine = [...this.connections.all()];
    await this.presence.renew(mine.map(({ id: connectionId, userId }) => ({ userId, connectionId })));
    for (const connectionId of await this.registry.renew(mine.map(({ id }) => id))) {
      const connection = this.connections.get(connectionId);
      if (connection) await this.addAgain(connection);
    }
  }

  /** After this process stood still for longer than a lease. */
  private async addAgain(connection: Connection): Promise<void> {
    await this.registry.add(this.describe(connection));
    for (const conversationId of connection.joined.keys())
      await this.registry.join(connection.id, conversationId);
  }

  private describe(connection: Connection): RegisteredConnection {
    const { id, userId, deviceId, connectedAt, transport, address, userAgent } = connection;
    const lastActivityAt = Date.now() - Math.round(performance.now() - connection.lastActivityAt);
    return {
      ...{ connectionId: id, userId, deviceId, connectedAt, lastActivityAt, transport, address },
      nodeId: this.node.id,
      authenticated: !connection.principal.guest,
      ...(userAgent !== undefined && { userAgent }),
    };
  }

  private note(work: Promise<void>): void {
    work.catch((error: unknown) => this.logger.warn('failed to update the connection registry', { error }));
  }
}
