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

/** Several, so that one late or lost renewal does no harm. */
const RENEWALS_PER_LEASE = 3;
const MAX_TOUCH_MS = 1000;

/** Notifies presence and the registry when connections of this node open, are used, are still open, and close. */
@Injectable()
export class ConnectionTracker implements ConnectionObserver, OnApplicationBootstrap, OnApplicationShutdown {
  private readonly logger = new Logger(ConnectionTracker.name);
  private readonly renewals: PeriodicTask;
  /** Shortest time between two notifications of a connection's activity, in milliseconds. */
  private readonly touchMs: number;
  private readonly notifiedAt = new WeakMap<Connection, number>();

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
    this.logFailure(this.registry.add(this.describe(connection)));
    connection.onceUpgraded(() =>
      this.logFailure(this.registry.update(connectionId, { transport: 'websocket' })),
    );
  }

  onDisconnect({ id: connectionId, userId }: Connection): void {
    this.presence.disconnect({ userId, connectionId });
    this.logFailure(this.registry.remove(connectionId));
  }

  /** Called whenever the client sends anything. */
  onActivity(connection: Connection): void {
    const now = performance.now();
    connection.lastActivityAt = now;
    if (now - (this.notifiedAt.get(connection) ?? -Infinity) < this.touchMs) return;
    this.notifiedAt.set(connection, now);
    this.presence.touch(connection.userId);
    this.logFailure(this.registry.update(connection.id, { lastActivityAt: Date.now() }));
  }

  onJoin({ id }: Connection, conversationId: string): void {
    this.logFailure(this.registry.join(id, conversationId));
  }

  onLeave({ id }: Connection, conversationId: string): void {
    this.logFailure(this.registry.leave(id, conversationId));
  }

  private async renew(): Promise<void> {
    const mine = [...this.connections.all()];
    await this.presence.renew(mine.map(({ id: connectionId, userId }) => ({ userId, connectionId })));
    for (const connectionId of await this.registry.renew(mine.map(({ id }) => id))) {
      const connection = this.connections.get(connectionId);
      if (connection) await this.addAgain(connection);
    }
  }

  /** Registers a connection again whose lease ended, because this process was frozen for longer than a lease. */
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

  private logFailure(work: Promise<void>): void {
    work.catch((error: unknown) => this.logger.warn('failed to update the connection registry', { error }));
  }
}
